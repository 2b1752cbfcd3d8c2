package refold

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/store"
)

// Rebuild makes a new state from the log beside the old one, and tells nobody of what it makes: others have read that before.
//
//   - A partition whose log is the one that the old state was made from is folded up to where the outputs end, from where it began
//     or, if retention has passed that, from the start of the log. What comes after is folded, and published, after the next start.
//   - A partition of another log is folded up to its present end.
//   - The journal is carried over where it still applies, and W ends at what it was where the outputs end.
//   - If nothing has been published yet, everything is told, up to where the old state stands.
type Rebuild struct {
	Fold
	Topic string
	Dir   string // of the old store
	Old   *store.Store
}

// Run makes it. watch is told now and then how many offsets were passed, of how many.
func (r *Rebuild) Run(ctx context.Context, watch func(done, total int64)) error {
	target, err := r.target(ctx)
	if err != nil {
		return err
	}
	options := store.Default()
	options.Logger, options.Instance, options.Retention = r.Logger, r.Old.Instance(), store.KeepAll()
	path, err := store.Rebuilding(r.Dir, options)
	if err != nil {
		return err
	}
	into, err := store.Open(path, options)
	if err != nil {
		return err
	}
	err = r.fold(ctx, into, target, watch)
	if err := errors.Join(err, into.Close()); err != nil {
		return err
	}
	return store.Rebuilt(r.Dir, options)
}

func (r *Rebuild) fold(ctx context.Context, into *store.Store, target *processing.Target, watch func(done, total int64)) error {
	if len(target.Cursors) == 0 {
		return errors.New("the topic has no partitions: there is nothing to fold")
	}
	began := make(map[event.PartitionID]event.Offset)
	total := int64(0)
	for _, c := range target.Cursors {
		began[c.Partition] = c.Start
		total += int64(c.Next - c.Start)
	}
	return r.Fold.Run(ctx, into, target, func(s *processing.Status) {
		done := int64(0)
		for _, p := range s.Partitions {
			done += int64(p.Position - began[p.Partition])
		}
		watch(done, total)
	})
}

// target is where the new state is to stand.
func (r *Rebuild) target(ctx context.Context) (*processing.Target, error) {
	old, err := r.journal()
	if err != nil {
		return nil, err
	}
	source, err := kafka.NewSource(kafka.SourceOptions{Cluster: r.Cluster, Topic: r.Topic})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	topic, err := source.Open(ctx, func(reason error) { r.Logger.Warn("rebuild: waiting for kafka", "error", reason) })
	if err != nil {
		return nil, fmt.Errorf("look at the topic: %w", err)
	}
	ends, err := source.Ends(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the log: %w", err)
	}
	target, err := processing.Retarget(old, topic, ends)
	if err == nil {
		target.Revision, err = r.highestRevision()
	}
	return target, err
}

// highestRevision is how far the revisions have got that the old state has published, or is about to.
func (r *Rebuild) highestRevision() (_ int, err error) {
	v, err := r.Old.View()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	return v.HighestRevision(r.Plan)
}

// journal is where the old state stands, and what it has decided.
func (r *Rebuild) journal() (_ *processing.State, err error) {
	v, err := r.Old.View()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	s := &processing.State{}
	for _, read := range []func() error{
		func() error { return r.standing(s) },
		func() error { s.Floors, err = v.Floors(); return err },
		func() error { s.Gaps, err = v.Gaps(); return err },
		func() error { s.Faults, err = v.Faults(); return err },
		func() error { s.Schemas, err = v.Schemas(); return err },
		func() error { s.Definitions, err = v.Starts(); return err },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// standing is where the outputs end or, if there are none yet, where the old state stands.
func (r *Rebuild) standing(s *processing.State) error {
	published, _, err := r.Old.Reader(kafka.PublisherReader)
	if err != nil {
		return err
	}
	m, ok, err := r.Old.Mark(published)
	if err == nil && !ok {
		r.Silent = published > 0
		m, err = r.Old.Standing()
	}
	s.Watermark, s.Cursors = m.Watermark, m.Cursors
	return err
}
