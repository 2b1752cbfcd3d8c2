package e2e

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/store"
)

// smallSchema and smallDefinitions use every way through the engine, and are small, so that it can die ten thousand times.
const smallSchema = `{"type": "record", "name": "Event", "fields": [
	{"name": "id", "type": "string"}, {"name": "time", "type": "long"}, {"name": "url", "type": "string"}, {"name": "user", "type": "string"}]}`

const smallDefinitions = `version: 1
defaults: false
source: {time: time, id: id}
sessions:
  - {name: visits, key: user, gap: 1m, end_when: 'url == "/bye"', aggregates: {pages: {count: 'url != "/bye"'}}}
metrics:
  - {name: views, window: {size: 1m}, aggregates: {n: {count: true}}}
  - {name: pages, window: {size: 2m, slide: 1m}, group_by: {url: url}, limit: 3, aggregates: {n: {count: true, total: true}, people: {uniques: user}}, value: n}
  - {name: closed, from: visits, window: {size: 5m}, aggregates: {n: {count: true}, long: {quantile: duration, q: 0.9}}, value: n}
alerts:
  - {name: busy, on: views, when: 'value > 20', severity: LOW}
`

// small is a log that is finished in milliseconds, without idle spells: the last record of each partition, a quarter of an hour
// later, closes everything. What the engine makes of it is a function of the log alone.
type small struct {
	t       *testing.T
	plan    *definition.Plan
	records []event.Record
	end     event.Millis // W at the end
	want    fingerprint  // what an undisturbed life makes of it
}

const smallPartitions = 2

func newSmall(t *testing.T, count int) *small {
	t.Helper()
	plan, err := definition.Load("small", []byte(smallDefinitions), smallSchema)
	if err != nil {
		t.Fatal(err)
	}
	s := &small{t: t, plan: plan}
	rng := rand.New(rand.NewPCG(17, 17))
	now := event.Millis(1_760_000_000_000)
	for i := range count {
		now += event.Millis(rng.IntN(6_000))
		at := now - event.Millis(rng.IntN(8_000)) // somewhat in disorder
		if rng.IntN(16) == 0 {
			at -= event.Millis(rng.IntN(400_000)) // late, some of it too late
		}
		s.add(i, at, now, []string{"/", "/a", "/b", "/c", "/bye"}[rng.IntN(5)], fmt.Sprint("u", rng.IntN(9)))
		if i%37 == 20 {
			s.records[i].Value = []byte("no event")
		}
	}
	closer := now + event.Millis((15 * time.Minute).Milliseconds())
	for i := range smallPartitions {
		s.add(count+i, closer, closer, "/bye", "nobody")
	}
	s.end = closer - plan.Source.OutOfOrderness - 1
	s.want = s.undisturbed()
	return s
}

func (s *small) add(i int, at, written event.Millis, url, user string) {
	value := fmt.Appendf(nil, `{"id":"%d","time":%d,"url":%q,"user":%q}`, i, at, url, user)
	s.records = append(s.records, event.Record{Partition: event.PartitionID(i % smallPartitions), Timestamp: written, Value: value})
}

// life is one life of the process: from opening the store until the log is finished, or until it dies.
type life struct {
	fs      vfs.FS
	steps   int // that the log comes in; 0: all of it is there already
	workers int
	log     *memory.Log
	died    func() // is called as soon as it dies, if that is set
	fed     func() // is called when all steps are committed, and ends it

	result fingerprint
}

// fingerprint is what a store says, but for revisions and sequences, which depend on when commits were made.
type fingerprint struct {
	digests  string // of all definitions
	rows     int
	windows  uint64 // what readers get
	counters processing.Counters
	w        event.Millis
}

// watcher tells when W has arrived.
type watcher struct {
	until event.Millis
	there chan struct{}
	seen  chan struct{}
}

func (w *watcher) Committed(c *processing.Committed) {
	if c.Watermark == w.until {
		select {
		case w.there <- struct{}{}:
		default:
		}
	}
	select {
	case w.seen <- struct{}{}:
	default:
	}
}

var (
	errDied  = errors.New("the process died")
	errHangs = errors.New("it hangs")
)

// live runs a process to its end. It returns errDied if it died by Options.Fatal, and what else ended it.
func (s *small) live(l *life) error {
	died := make(chan error, 1)
	options := store.Default()
	options.FS, options.Logger = l.fs, slog.New(slog.DiscardHandler)
	options.CacheSize, options.MemTableSize = 1<<20, 32<<10
	options.Fatal = func(err error) {
		if l.died != nil {
			l.died()
		}
		select {
		case died <- err:
		default:
		}
		select {} // a process that has ended does nothing any more
	}
	ended := make(chan error, 1)
	go func() { ended <- s.run(l, options) }()
	select {
	case err := <-ended:
		return err
	case err := <-died:
		return fmt.Errorf("%w: %w", errDied, err)
	case <-time.After(tooLong):
		stacks := make([]byte, 1<<20)
		return fmt.Errorf("%w:\n%s", errHangs, stacks[:runtime.Stack(stacks, true)])
	}
}

func (s *small) run(l *life, options store.Options) error {
	st, err := store.Open("/data/store", options)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	o := processing.DefaultOptions()
	o.Workers, o.WriterSchema, o.Encoding, o.MinCommit = l.workers, smallSchema, event.JSON, 200*time.Microsecond
	p, err := processing.New(s.plan, l.log.Reader(), st, o)
	if err != nil {
		return errors.Join(fmt.Errorf("load: %w", err), st.Close())
	}
	w := &watcher{until: s.end, there: make(chan struct{}, 1), seen: make(chan struct{}, 1)}
	p.Observe(w)
	ctx, stop := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	fed := make(chan struct{})
	go func() {
		s.feed(ctx, l, w)
		if l.fed != nil && ctx.Err() == nil {
			l.fed()
			close(fed)
		}
	}()
	if p.Status().Watermark != s.end {
		select {
		case <-w.there:
		case <-fed:
		case err := <-ended:
			stop()
			return errors.Join(err, st.Close())
		}
	}
	stop()
	if err := <-ended; err != nil {
		return errors.Join(err, st.Close())
	}
	l.result, err = s.fingerprint(st)
	return errors.Join(err, st.Close())
}

// feed appends the log in steps, each when the one before has been committed.
func (s *small) feed(ctx context.Context, l *life, w *watcher) {
	for i := range l.steps {
		n := len(s.records)
		l.log.Append(s.records[n*i/l.steps : n*(i+1)/l.steps]...)
		select {
		case <-w.seen:
		case <-ctx.Done():
			return
		}
	}
}

// whole is a log that has all records.
func (s *small) whole() *memory.Log {
	log := memory.NewLog(smallPartitions, 64)
	log.Append(s.records...)
	return log
}

func (s *small) fingerprint(st *store.Store) (fingerprint, error) {
	v, err := st.View()
	if err != nil {
		return fingerprint{}, err
	}
	defer v.Close()
	f := fingerprint{w: v.Watermark(), counters: v.Counters()}
	h := fnv.New64a()
	var b []byte
	number := func(n definition.Number) {
		b = fmt.Appendf(b, "%v %x ", n.Valid, math.Float64bits(n.Float))
	}
	for i := range s.plan.Metrics {
		rows, err := v.Windows(s.plan.Metrics[i].Hash, math.MinInt64, math.MaxInt64, nil, math.MaxInt)
		if err != nil {
			return f, err
		}
		for i := range rows {
			r := &rows[i]
			b = fmt.Appendf(b[:0], "%s %d %q %d ", r.Metric, r.Start, r.Group, r.Count)
			number(r.Value)
			for _, a := range r.Aggregates {
				number(a)
			}
			h.Write(b)
			f.rows++
		}
	}
	digests, err := v.Digests()
	if err != nil {
		return f, err
	}
	for _, d := range digests {
		f.digests += fmt.Sprintf("%s %d %v\n", d.Name, d.Facts, d.Sum)
	}
	f.windows = h.Sum64()
	return f, s.checkFeed(v)
}

// checkFeed holds the feed to itself: without a hole, one final a window and group, one dead letter a record.
func (s *small) checkFeed(v *store.View) error {
	page, err := v.Feed(0, math.MaxInt32, store.AllTypes)
	if err != nil {
		return err
	}
	finals, dead := make(map[string]bool), make(map[event.Coordinate]bool)
	for i := range page.Entries {
		e := &page.Entries[i]
		if e.Seq != uint64(i+1) {
			return fmt.Errorf("entry %d of the feed has sequence %d", i, e.Seq)
		}
		if r := e.Result; r != nil && r.Kind == window.Final {
			id := fmt.Sprint(r.Definition, r.Start, r.Group)
			if finals[id] {
				return fmt.Errorf("two finals of %s %d %q", r.Metric, r.Start, r.Group)
			}
			finals[id] = true
		}
		if d := e.DeadLetter; d != nil {
			at := event.Coordinate{Partition: d.Partition, Offset: d.Offset}
			if dead[at] {
				return fmt.Errorf("two dead letters of %+v", at)
			}
			dead[at] = true
		}
	}
	if len(page.Entries) != int(page.Head) || len(dead) != int(v.Counters().DeadLetters) {
		return fmt.Errorf("%d entries up to %d, %d dead letters and %d counted", len(page.Entries), page.Head, len(dead), v.Counters().DeadLetters)
	}
	return nil
}

// undisturbed is what the log makes, by a life that nothing happens to.
func (s *small) undisturbed() fingerprint {
	s.t.Helper()
	l := &life{fs: vfs.NewMem(), log: s.whole(), workers: 1}
	if err := s.live(l); err != nil {
		s.t.Fatal(err)
	}
	f := l.result
	if f.counters.DeadLetters == 0 || f.counters.Late == 0 || f.rows < 30 || f.w != s.end {
		s.t.Fatalf("the log is too tame to prove anything: %+v", f)
	}
	return f
}
