package processing

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// inquiry asks the registry what the loop wants to know, in a goroutine of its own: the loop never waits for it.
//
// A registry that can't be asked is asked again until it answers, with one question at a time. One that says no is asked
// some more times, as a schema that was just registered may not have reached all of its servers. Only few questions are
// repeated at once: when many are answered with no, the values are rubbish, and not new.
type inquiry struct {
	registry Registry
	reader   *event.Reader
	log      *slog.Logger
	tries    int
	pause    time.Duration // between tries
	answers  chan []answer // to the loop

	mu      sync.Mutex
	open    map[schemas.Ref]*question
	fresh   chan struct{} // holds a token when there are new questions
	trouble string        // why the registry can't be asked; "" when it can
	fails   int           // since it could
	resume  time.Time     // of asking, after one
}

type question struct {
	ref   schemas.Ref
	tries int       // left
	at    time.Time // not before
	again bool      // it was answered with no
}

// answer is what the registry says of one schema; without a writer it says that there is none.
type answer struct {
	ref    schemas.Ref
	schema RegisteredSchema
	writer *event.Writer
}

const (
	askedAtOnce    = 8
	askedInARound  = 64
	repeatedAtOnce = 64
)

func newInquiry(o *Options, reader *event.Reader) *inquiry {
	return &inquiry{
		registry: o.Registry, reader: reader, log: o.Logger, tries: o.RegistryTries, pause: o.RegistryPause,
		answers: make(chan []answer), open: make(map[schemas.Ref]*question), fresh: make(chan struct{}, 1),
	}
}

// ask puts a question that is not open already.
func (q *inquiry) ask(ref schemas.Ref, tries int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open[ref] = &question{ref: ref, tries: tries}
	select {
	case q.fresh <- struct{}{}:
	default:
	}
}

// problem is why the registry can't be asked; "" when it can.
func (q *inquiry) problem() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.trouble
}

// run asks until ctx ends.
func (q *inquiry) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		due, wait := q.due(time.Now())
		if len(due) > 0 {
			if answers := q.round(ctx, due); len(answers) > 0 {
				select {
				case q.answers <- answers:
				case <-ctx.Done():
				}
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-q.fresh:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// due picks the questions of a round, or says how long there are none.
func (q *inquiry) due(now time.Time) (due []*question, wait time.Duration) {
	const forever = time.Hour
	q.mu.Lock()
	defer q.mu.Unlock()
	if left := q.resume.Sub(now); left > 0 {
		return nil, left
	}
	wait = forever
	for _, o := range q.open {
		if left := o.at.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		due = append(due, o)
	}
	slices.SortFunc(due, func(a, b *question) int { return compareRefs(a.ref, b.ref) })
	most := askedInARound
	if q.fails > 0 {
		most = 1
	}
	return due[:min(len(due), most)], wait
}

// round asks questions and returns what was answered for good.
func (q *inquiry) round(ctx context.Context, due []*question) []answer {
	answers := make([]answer, len(due))
	errs := make([]error, len(due))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(askedAtOnce)
	for i, o := range due {
		group.Go(func() error {
			answers[i], errs[i] = q.put(asking, o)
			if errs[i] != nil && !errors.Is(errs[i], ErrUnknownSchema) {
				return errs[i] // nobody needs to ask on
			}
			return nil
		})
	}
	q.noteTrouble(ctx, group.Wait())
	q.mu.Lock()
	defer q.mu.Unlock()
	again := 0
	for _, o := range q.open {
		if o.again {
			again++
		}
	}
	settled := answers[:0]
	for i, o := range due {
		switch {
		case errs[i] == nil:
		case !errors.Is(errs[i], ErrUnknownSchema):
			continue // it stays open
		default:
			o.tries--
			if o.tries > 0 && (o.again || again < repeatedAtOnce) {
				if !o.again {
					o.again = true
					again++
				}
				o.at = time.Now().Add(q.pause)
				continue
			}
		}
		delete(q.open, o.ref)
		settled = append(settled, answers[i])
	}
	return settled
}

// put asks one question. What it takes to read the schema is compiled here, as that may take long for a strange one.
func (q *inquiry) put(ctx context.Context, o *question) (answer, error) {
	a := answer{ref: o.ref}
	if err := ctx.Err(); err != nil {
		return a, err
	}
	s, err := q.registry.Schema(ctx, o.ref.RegistryID())
	if err != nil {
		return a, err
	}
	a.schema, a.writer = s, CompileWriter(o.ref, s, q.reader)
	return a, nil
}

// noteTrouble says once that the registry can't be asked, and once that it can again.
func (q *inquiry) noteTrouble(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case err != nil:
		if q.fails == 0 {
			q.log.Warn("the schema registry can't be asked; partitions that need it wait", "error", err)
		}
		q.trouble = err.Error()
		q.fails++
		q.resume = time.Now().Add(q.backoff())
	case q.fails > 0:
		q.log.Info("the schema registry answers again")
		q.trouble, q.fails = "", 0
	}
}

// backoff is the pause while the registry can't be asked: 250 ms, doubling, up to 5 s.
func (q *inquiry) backoff() time.Duration {
	const first, most = 250 * time.Millisecond, 5 * time.Second
	return min(first<<min(max(q.fails-1, 0), 8), most)
}
