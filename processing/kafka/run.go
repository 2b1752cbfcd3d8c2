package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
)

// publisherBoard is where others see it.
type publisherBoard struct {
	mu    sync.Mutex
	state processing.Outputs // owned by mu
}

func (b *publisherBoard) set(o processing.Outputs) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state = o
}

// Outputs says how the publisher is doing now.
func (p *Publisher) Outputs() processing.Outputs {
	p.board.mu.Lock()
	defer p.board.mu.Unlock()
	return p.board.state
}

// errHalted ends a run in which nothing can be published any more: the board says why.
var errHalted = errors.New("outputs stand still")

// Begin finds out, before anything is folded, how the outputs go on. If it returns a target, the state has to be folded to there
// first, silently, and a new publisher has to begin after that. It waits for brokers until ctx ends, and returns an error
// only if the store fails, and ErrUnknownTopic. Where the store's epoch has published before, it only looks, so that nobody waits for
// transactions.
func (p *Publisher) Begin(ctx context.Context) (*processing.Target, error) {
	if _, err := p.facts(); err != nil {
		return nil, p.end(ctx, err) // no brokers are needed to find that
	}
	if err := p.ensureTopics(ctx); err != nil {
		return nil, p.end(ctx, err)
	}
	var target *processing.Target
	err := p.insist(ctx, func() error {
		facts, err := p.facts()
		if err != nil {
			return err
		}
		v, found, err := p.peek(ctx, facts)
		if err != nil {
			return err
		}
		if facts.adopted && !v.fold && found.progress.Epoch == p.opts.Epoch {
			return nil
		}
		if p.begun, target, err = p.open(ctx); err != nil {
			return err
		}
		return nil
	})
	return target, p.end(ctx, err)
}

// ensureTopics looks whether there are topics to write to, and makes them if that is wanted. It returns ErrUnknownTopic if not.
func (p *Publisher) ensureTopics(ctx context.Context) error {
	client, err := p.opts.Cluster.open()
	if err != nil {
		return err
	}
	defer client.Close()
	from := asker{cluster: &p.opts.Cluster, adm: kadm.NewClient(client), waiting: func(reason error) {
		p.board.set(processing.Outputs{Trouble: reason.Error()})
	}}
	err = ensureTopics(ctx, from, map[string]int{
		p.opts.MetricsTopic: DataPartitions, p.opts.AlertsTopic: LogPartitions, p.opts.DeadLetterTopic: LogPartitions, ProgressTopic: LogPartitions,
	}, p.opts.CreateTopics)
	if err != nil {
		return fmt.Errorf("output topics: %w", err)
	}
	return nil
}

// Run publishes until ctx ends, or the feed can't be read. After Finish it returns once all is out that is in the feed.
func (p *Publisher) Run(ctx context.Context) error {
	defer p.die()
	defer func() {
		if s := p.begun; s != nil {
			s.close() // not used
		}
	}()
	if p.Outputs().Fault != "" {
		return nil // Begin has found it
	}
	// What is under way when ctx ends is aborted, which takes a moment.
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(2*time.Second, p.die) })
	defer stop()
	if !p.frames.register(ctx) {
		return nil
	}
	err := p.insist(ctx, func() error {
		s := p.begun
		p.begun = nil
		if s == nil {
			var target *processing.Target
			var err error
			if s, target, err = p.open(ctx); err != nil {
				return err
			}
			if target != nil {
				return p.halt("another server of this instance has published since this one began" + wayOut)
			}
		}
		defer s.close()
		return p.follow(ctx, s)
	})
	return p.end(ctx, err)
}

// Finish lets Run end as soon as all is published that is in the feed. It may be called once.
func (p *Publisher) Finish() { close(p.finishing) }

// end turns what ends a run into what its caller has to know.
func (p *Publisher) end(ctx context.Context, err error) error {
	var feed *feedError
	switch {
	case errors.As(err, &feed):
		return fmt.Errorf("publisher: %w", err)
	case errors.Is(err, errHalted), ctx.Err() != nil:
		return nil
	default:
		return err
	}
}

// insist does something until it works, until it can't, or until ctx ends.
func (p *Publisher) insist(ctx context.Context, do func() error) error {
	say := every{interval: 30 * time.Second}
	for try := 1; ; try++ {
		began := time.Now()
		err := do()
		var feed *feedError
		switch {
		case err == nil, errors.Is(err, errHalted), errors.As(err, &feed), ctx.Err() != nil:
			return err
		}
		p.board.set(processing.Outputs{Trouble: err.Error()})
		if say.allow(time.Now()) {
			p.log.Warn("results can't be published; trying again", "error", err)
		}
		if time.Since(began) > time.Minute {
			try = 1
		}
		if !pause(ctx, backoff(try)) {
			return ctx.Err()
		}
	}
}

// halt is for good.
func (p *Publisher) halt(why string) error {
	p.board.set(processing.Outputs{Fault: why})
	p.log.Error("nothing is published any more", "reason", why)
	return errHalted
}

// facts is what the store says.
func (p *Publisher) facts() (*known, error) {
	k := &known{epoch: p.opts.Epoch, incarnation: p.incarnation, mark: p.opts.Feed.Mark}
	var err error
	if k.adopted, err = p.opts.Feed.Adopted(); err != nil {
		return nil, wrapFeed(err)
	}
	if k.reader, _, err = p.opts.Feed.Reader(PublisherReader); err != nil {
		return nil, wrapFeed(err)
	}
	if k.at, err = p.opts.Feed.Standing(); err != nil {
		return nil, wrapFeed(err)
	}
	k.head = k.at.Seq
	return k, nil
}

// peek reads the progress without a claim: who would have nothing to publish must not fence somebody who has.
func (p *Publisher) peek(ctx context.Context, k *known) (verdict, *standing, error) {
	back, err := newLookback(&p.opts.Cluster)
	if err != nil {
		return verdict{}, nil, err
	}
	defer back.close()
	try, cancel := context.WithTimeout(ctx, p.opts.TransactionTimeout+10*time.Second)
	defer cancel()
	found, err := back.standing(try, p.keys(), -1)
	var v verdict
	if err != nil {
		v, err = faultOf(err)
	} else if v, err = judge(found, k); err != nil {
		err = wrapFeed(err)
	}
	if err != nil {
		return v, nil, err
	}
	taken, err := p.overtaken(found)
	switch {
	case err != nil:
		return v, nil, err
	case taken:
		return v, nil, p.halt("another server publishes for this instance now: " + found.claim.String() +
			"; this one, " + p.incarnation + ", stands down. Stop one of them, and start the one to keep again")
	case v.fault != "":
		return v, nil, p.halt(v.fault)
	}
	return v, found, nil
}

// contestLimit is how long a claim of another publisher may take to be followed by progress, or to be released.
const contestLimit = 10 * time.Second

// errContested is returned while it is not known yet whether another publisher has taken over.
var errContested = errors.New("another server has just claimed to publish for this instance; waiting for what it does")

// overtaken reports whether another publisher has taken over from this one.
func (p *Publisher) overtaken(found *standing) (bool, error) {
	if !p.claimed || found == nil || found.claim == nil || found.claim.Incarnation == p.incarnation || found.claim.Released {
		p.contested = time.Time{}
		return false, nil
	}
	confirmed := found.progress != nil && found.progress.Incarnation == found.claim.Incarnation
	if p.contested.IsZero() {
		p.contested = time.Now()
	}
	if !confirmed && time.Since(p.contested) < contestLimit {
		return false, errContested
	}
	return true, nil
}

// open begins a session, or says where to the state has to be folded first.
func (p *Publisher) open(ctx context.Context) (*session, *processing.Target, error) {
	facts, err := p.facts()
	if err != nil {
		return nil, nil, err
	}
	if _, _, err := p.peek(ctx, facts); err != nil {
		return nil, nil, err
	}
	s, found, err := p.claim(ctx)
	if err != nil {
		var bad *unreadable
		if errors.As(err, &bad) {
			v, _ := faultOf(err)
			err = p.halt(v.fault)
		}
		return nil, nil, err
	}
	target, err := p.goOn(ctx, s, found, facts)
	if target != nil {
		s.release(ctx)
	}
	if err != nil || target != nil {
		s.close()
		return nil, target, err
	}
	p.board.set(processing.Outputs{})
	return s, nil, nil
}

// goOn takes up the outputs where the progress says that they end.
func (p *Publisher) goOn(ctx context.Context, s *session, found *standing, facts *known) (*processing.Target, error) {
	p.claimed = true
	p.sessions.Add(1)
	v, err := judge(found, facts)
	switch {
	case err != nil:
		return nil, wrapFeed(err)
	case v.fault != "":
		s.release(ctx)
		return nil, p.halt(v.fault)
	case v.fold:
		t, err := found.target()
		if err != nil {
			v, err := faultOf(err)
			return nil, errors.Join(err, p.halt(v.fault))
		}
		p.log.Info("outputs were published further than this state: folding to there, silently",
			"published_epoch", found.progress.Epoch, "published_seq", found.progress.Seq, "epoch", p.opts.Epoch)
		return t, nil
	}
	s.at = v.after.Seq
	if found.progress != nil {
		s.highest = found.progress.Revision
	}
	same := found.progress != nil && found.progress.Epoch == p.opts.Epoch
	if p.opts.Embedded && same && facts.adopted {
		if s.torn, err = p.findTorn(ctx, facts.reader, s.at); err != nil {
			return nil, fmt.Errorf("look for what a crash left half done: %w", err)
		}
		if s.torn != nil {
			p.tornSessions.Add(1)
			s.at = facts.reader
			return nil, nil
		}
	}
	return nil, p.adopt(ctx, s, v.after, facts.adopted && same)
}

// adopt makes it known, to brokers and to the store, that this epoch's outputs go on after a mark.
func (p *Publisher) adopt(ctx context.Context, s *session, after *processing.Mark, known bool) error {
	if known {
		return wrapFeed(p.opts.Feed.SaveReader(PublisherReader, after.Seq))
	}
	if err := s.transact(ctx, func(produce func(*kgo.Record)) error { return s.tell(after, produce) }); err != nil {
		return fmt.Errorf("take up the outputs: %w", err)
	}
	return wrapFeed(p.opts.Feed.Adopt(PublisherReader, after))
}

// follow publishes what is committed, until something fails.
func (p *Publisher) follow(ctx context.Context, s *session) error {
	for {
		more, err := s.advance(ctx)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		select {
		case <-p.news:
		case <-p.finishing:
			// What was committed before Finish was called may have come after the look.
			for more, err := s.advance(ctx); more || err != nil; more, err = s.advance(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
