package processing

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// Whatever is fetched, in whatever pieces, by workers that are quick or slow: what a queue says it holds is what it holds, a
// partition is paused exactly while its queue says so, each record gets to its worker once and in order, and in the end
// nothing waits and nothing is paused.
func TestTheIntakesAccounts(t *testing.T) {
	seeds := 30
	if testing.Short() {
		seeds = 8
	}
	paused := 0
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			a := newAccounts(t, uint64(seed))
			for range 120 {
				a.step()
				a.check()
			}
			a.drain()
			paused += a.source.times
		})
	}
	if paused < seeds {
		t.Errorf("in %d runs partitions were paused %d times: that shows little", seeds, paused)
	}
}

// accounts is an intake with workers that do nothing but note what they get, and what the intake has to come to, counted slowly.
type accounts struct {
	t      *testing.T
	random *rand.Rand
	intake *intake
	source *pausing
	w      event.Millis
	next   map[event.PartitionID]event.Offset // to be fetched
	kept   map[event.PartitionID][]int        // the sizes of all records fetched
	noted  []*noting                          // by worker
}

func newAccounts(t *testing.T, seed uint64) *accounts {
	random := rand.New(rand.NewPCG(seed, 1))
	source := &pausing{paused: make(map[event.PartitionID]bool)}
	a := &accounts{
		t: t, random: random, source: source, w: event.NoTime, next: make(map[event.PartitionID]event.Offset), kept: make(map[event.PartitionID][]int),
		intake: &intake{
			source: source, shared: &shared{}, maxAhead: event.Millis(random.IntN(100_000)), final: 1 << 60,
			partitions: make(map[event.PartitionID]*partition), waiting: make(map[event.PartitionID]*queue),
		},
	}
	a.intake.shared.lowest.Store(0)
	var group sync.WaitGroup
	for i := range 1 + random.IntN(3) {
		n := &noting{in: make(chan message, random.IntN(3)), seen: make(map[event.PartitionID]event.Offset), idle: random.IntN(4)}
		a.noted = append(a.noted, n)
		a.intake.workers = append(a.intake.workers, &worker{in: n.in})
		group.Go(func() { n.run(i) })
	}
	for i := range 1 + random.IntN(6) {
		p := &partition{id: event.PartitionID(i), worker: random.IntN(len(a.noted))}
		p.seenWatermark.Store(int64(event.NoTime))
		a.intake.partitions[p.id] = p
	}
	t.Cleanup(func() {
		for _, n := range a.noted {
			close(n.in)
		}
		group.Wait()
	})
	return a
}

// step fetches something, or commits, or finds that a commit would be too large.
func (a *accounts) step() {
	switch ctx := a.t.Context(); a.random.IntN(10) {
	case 0:
		a.intake.shared.staged.Store(maxCommitBytes)
	case 1, 2:
		a.commit(ctx)
	default:
		var answer []arrival
		for _, id := range sortedIDs(a.intake.partitions) {
			if !a.source.paused[id] && a.random.IntN(2) == 0 {
				answer = append(answer, a.fetch(id))
			}
		}
		a.intake.take(ctx, answer, a.w)
	}
}

// fetch makes an answer: often nothing or little, sometimes many records, sometimes large ones.
func (a *accounts) fetch(id event.PartitionID) arrival {
	count := []int{0, 1, portion, a.random.IntN(10), a.random.IntN(20_000)}[a.random.IntN(5)]
	largest := []int{1, 100, 10_000}[a.random.IntN(3)]
	records := make([]event.Record, count)
	for i := range records {
		size := a.random.IntN(largest)
		records[i] = event.Record{Partition: id, Offset: a.next[id], Timestamp: event.Millis(a.next[id]), Value: zeros[:size]}
		a.kept[id] = append(a.kept[id], size)
		a.next[id]++
	}
	return arrival{Fetched: Fetched{Partition: id, Records: records, Position: a.next[id]}}
}

var zeros = make([]byte, 10_000)

// commit lets W go to the lowest watermark, and the next portions to the workers.
func (a *accounts) commit(ctx context.Context) {
	lowest := event.Millis(1 << 60)
	for _, p := range a.intake.partitions {
		lowest = min(lowest, event.Millis(p.seenWatermark.Load()))
	}
	a.w = max(a.w, lowest)
	a.intake.shared.staged.Store(0)
	a.intake.dispatched = 0
	a.intake.handOn(ctx, a.w)
}

// check counts what waits, record by record.
func (a *accounts) check() {
	a.t.Helper()
	for id, p := range a.intake.partitions {
		q := a.intake.waiting[id]
		if q == nil {
			q = &queue{}
		}
		records := 0
		for _, f := range q.answers {
			records += len(f.Records)
		}
		records -= q.at
		bytes := 0
		for _, size := range a.kept[id][len(a.kept[id])-records:] {
			bytes += size
		}
		switch {
		case q.records != records, q.bytes != bytes:
			a.t.Fatalf("partition %d: %d records and %d bytes are said to wait, it is %d and %d", p.id, q.records, q.bytes, records, bytes)
		case q.paused != a.source.paused[id]:
			a.t.Fatalf("partition %d: its queue says paused=%t, the source %t", p.id, q.paused, a.source.paused[id])
		case !q.paused && a.intake.crowded(q):
			a.t.Fatalf("partition %d: %d records and %d bytes wait, and it is fetched on", p.id, records, bytes)
		}
	}
}

// drain commits until nothing waits. Each commit takes something on.
func (a *accounts) drain() {
	a.t.Helper()
	for rounds := 0; len(a.intake.waiting) > 0; rounds++ {
		if rounds > 100_000 {
			a.t.Fatalf("%d records wait for ever", a.intake.held())
		}
		a.commit(a.t.Context())
		a.check()
		runtime.Gosched()
		if rounds > 1000 { // the last records wait for nobody: what is behind has nothing more to come
			a.w = 1 << 60
		}
	}
	if len(a.source.paused) > 0 {
		a.t.Errorf("in the end %v are paused", a.source.paused)
	}
	for id, p := range a.intake.partitions {
		for range 1_000_000 { // the last portion may be on its way
			if event.Offset(p.seenPosition.Load()) == a.next[id] {
				break
			}
			runtime.Gosched()
		}
		if got := event.Offset(p.seenPosition.Load()); got != a.next[id] {
			a.t.Errorf("partition %d: its worker got to %d, %d were fetched", id, got, a.next[id])
		}
	}
	for _, n := range a.noted {
		n.mu.Lock()
		if n.fault != "" {
			a.t.Error(n.fault)
		}
		n.mu.Unlock()
	}
}

// noting is a worker's other half: it notes what comes, and clears it.
type noting struct {
	in   chan message
	idle int // how slow it is
	seen map[event.PartitionID]event.Offset

	mu    sync.Mutex
	fault string
}

func (n *noting) run(worker int) {
	for m := range n.in {
		for range n.idle {
			runtime.Gosched()
		}
		id := m.partition.id
		for i := range m.fetched.Records {
			if got := m.fetched.Records[i].Offset; got != n.seen[id] || m.partition.worker != worker {
				n.note(fmt.Sprintf("worker %d gets offset %d of partition %d, want %d for worker %d", worker, got, id, n.seen[id], m.partition.worker))
			}
			n.seen[id]++
		}
		if len(m.fetched.Records) > 0 {
			m.partition.seenWatermark.Store(int64(m.fetched.Records[len(m.fetched.Records)-1].Timestamp))
		}
		if m.last {
			clear(m.whole.Records)
		}
		m.partition.seenPosition.Store(int64(m.fetched.Position))
	}
}

func (n *noting) note(fault string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fault == "" {
		n.fault = fault
	}
}

// pausing is a source that only remembers what is paused.
type pausing struct {
	Source
	paused map[event.PartitionID]bool
	times  int
}

func (s *pausing) Pause(ids []event.PartitionID) {
	for _, id := range ids {
		s.paused[id] = true
		s.times++
	}
}

func (s *pausing) Resume(ids []event.PartitionID) {
	for _, id := range ids {
		delete(s.paused, id)
	}
}
