package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/simulator"
)

// Everything lives in one bubble of fake time: a broker on a network in memory, the server's disk, and the shop. Hours
// go by in which partitions fall silent and come back, clocks are wrong, events are late, the broker refuses and hangs up, leader epochs move,
// partitions are added, and the server is cut off and killed. What it has made of all that is what the truth of the log is, and on its topics
// everything stands once. TIDEMARK_SEED runs one seed again.
func TestSimulatedHours(t *testing.T) {
	t.Parallel()
	from, count := uint64(0), uint64(sized(3, 200))
	if raceDetector && !soaking() {
		count = 1
	}
	if text := os.Getenv("TIDEMARK_SEED"); text != "" {
		var err error
		if from, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("TIDEMARK_SEED: %v", err)
		}
		count = 1
	}
	for seed := from; seed < from+count; seed++ {
		t.Run(fmt.Sprint("TIDEMARK_SEED=", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newWorld(t, seed).live() })
		})
	}
}

const worldParts = 6 // partitions of events, the last of which is added on the way

// world is all that is around the server, and the server.
type world struct {
	*machine
	life     time.Duration // how long the shop is open
	rng      *rand.Rand
	shop     *simulator.Simulator
	ahead    event.Record     // the shop's next, if more
	arrives  event.Millis     // when
	more     bool             // there is a next one
	skew     []time.Duration  // of the clocks that stamp records, by partition
	kept     [][]event.Record // by partition: not to be had yet
	silent   []time.Time      // by partition: until when it keeps what comes
	asleep   time.Time        // until when the shop is closed, and nobody comes
	happened map[string]int
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	pass(time.Duration(1+rng.IntN(48)) * time.Hour) // away from the first moment of time, where nothing can be earlier
	o := simulator.Default()
	o.Start, o.Seed, o.Rate, o.Partitions = event.Millis(time.Now().UnixMilli()), seed+1, 2, worldParts
	o.Late, o.Duplicates, o.Bad = 0.02, 0.01, 0.005
	shop, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		machine: newMachine(t, rng), life: time.Hour, rng: rng, shop: shop, skew: make([]time.Duration, worldParts),
		kept: make([][]event.Record, worldParts), silent: make([]time.Time, worldParts), happened: map[string]int{},
	}
	switch {
	case raceDetector:
		w.life /= 4
	case seed%10 == 9:
		w.life *= 3
	}
	for p := range w.skew {
		w.skew[p] = time.Duration(rng.IntN(8000)-4000) * time.Millisecond
	}
	w.skew[rng.IntN(worldParts)] = -time.Duration(rng.IntN(400)) * time.Second // some of it more than is believed
	w.arrives, w.more = w.next()
	w.silent[worldParts-1] = time.Now().Add(w.life) // until it is there
	return w
}

// next draws what the shop does next.
func (w *world) next() (event.Millis, bool) {
	w.ahead = event.Record{}
	at, more := w.shop.Next(&w.ahead)
	w.ahead.Timestamp += event.Millis(w.skew[w.ahead.Partition].Milliseconds())
	return at, more
}

// live lets time pass, until all is quiet in the end.
func (w *world) live() {
	end := time.Now().Add(w.life)
	w.boot()
	for time.Now().Before(end) {
		pass(time.Duration(1+w.rng.IntN(15_000)) * time.Millisecond)
		w.trade()
		if w.rng.IntN(8) == 0 {
			w.happen()
		}
	}
	w.addPartition()
	clear(w.silent)
	w.trade()
	pass(45 * time.Minute) // idle, then quiet, then every session has closed
	w.t.Logf("%v, then %d records", w.happened, w.written)
	w.judge()
	w.halt()
	w.foldAgain()
}

// foldAgain compares the digests with those of folds of the log to which nothing happens. They take floors from the journal.
func (w *world) foldAgain() {
	s := openStore(w.t, w.disk, kafka.PublisherReader)
	defer s.Close()
	want := w.digest(s)
	for _, workers := range []int{1, 4} {
		if got := w.refold(s, workers); got != want {
			w.t.Errorf("with %d workers the digests of an undisturbed fold are\n%s\nand not\n%s", workers, got, want)
		}
	}
	if len(strings.Split(want, "\n")) < 11 {
		w.t.Errorf("no digests: %s", want)
	}
}

// trade writes what has come of the shop's traffic by now.
func (w *world) trade() {
	now := time.Now()
	closed := now.Before(w.asleep)
	for w.more && w.arrives <= event.Millis(now.UnixMilli()) {
		if p := w.ahead.Partition; !closed {
			w.kept[p] = append(w.kept[p], w.ahead)
		}
		w.arrives, w.more = w.next()
	}
	var out []event.Record
	for p, kept := range w.kept {
		if now.Before(w.silent[p]) {
			continue
		}
		out = append(out, kept...)
		w.kept[p] = nil
	}
	w.write(out)
}

// happen has something go wrong.
func (w *world) happen() {
	events := []struct {
		name string
		do   func()
	}{
		{"killed", w.crash},
		{"restarted", w.restart},
		{"partition silent", func() { w.silent[w.rng.IntN(worldParts-1)] = w.later(10 * time.Minute) }},
		{"shop closed", func() { w.asleep = w.later(20 * time.Minute) }},
		{"refused", w.refuse},
		{"refused", w.refuse},
		{"refused", w.refuse},
		{"hung up", w.hangUp},
		{"hung up", w.hangUp},
		{"new leader epochs", func() { w.broker.ShufflePartitionLeaders(); w.broker.RehashCoordinators() }},
		{"partition added", w.addPartition},
	}
	e := events[w.rng.IntN(len(events))]
	w.happened[e.name]++
	e.do()
}

func (w *world) later(most time.Duration) time.Time {
	return time.Now().Add(time.Duration(w.rng.Int64N(int64(most))))
}

// addPartition adds the last one, once, in the second half.
func (w *world) addPartition() {
	if w.partitions() < worldParts {
		w.grow(worldParts)
		w.silent[worldParts-1] = time.Time{}
	}
}

// Refusals that pass, by request. Some come after the work is done.
var refusals = map[kmsg.Key][]*kerr.Error{
	kmsg.Fetch:              {kerr.NotLeaderForPartition, kerr.OffsetNotAvailable, kerr.UnknownTopicOrPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch},
	kmsg.Produce:            {kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend},
	kmsg.ListOffsets:        {kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.UnknownTopicOrPartition},
	kmsg.Metadata:           {kerr.LeaderNotAvailable},
	kmsg.FindCoordinator:    {kerr.CoordinatorNotAvailable},
	kmsg.InitProducerID:     {kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions},
	kmsg.AddPartitionsToTxn: {kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions},
	kmsg.EndTxn:             {kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator},
	kmsg.OffsetCommit:       {kerr.CoordinatorNotAvailable, kerr.NotCoordinator},
}

var refusable = []kmsg.Key{
	kmsg.Fetch, kmsg.Produce, kmsg.ListOffsets, kmsg.Metadata, kmsg.FindCoordinator, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.EndTxn, kmsg.OffsetCommit,
}

// refuse has the broker refuse the next few requests of a kind.
func (w *world) refuse() {
	key := refusable[w.rng.IntN(len(refusable))]
	w.broker.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: refusals[key][w.rng.IntN(len(refusals[key]))], Count: 1 + w.rng.IntN(4)})
}

// hangUp has the broker end the connection at the next few requests, of a kind or of all, without an answer.
func (w *world) hangUp() {
	key := int16(-1)
	if w.rng.IntN(3) > 0 {
		key = int16(refusable[w.rng.IntN(len(refusable))])
	}
	for range 1 + w.rng.IntN(3) {
		w.broker.ControlKey(key, func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errors.New("hung up"), true })
	}
}

// judge compares what the server has made with the truth of the log, and its topics with its feed.
func (w *world) judge() {
	if want := compareWith(w.t, w.engine, w.plan, w.log()); want.Counters.Consumed >= 1000 { // a shop may be closed for most of a life
		wantLively(w.t, want)
	}
	entries := map[uint64]string{}
	for _, e := range w.entries() {
		if e.Result != nil || e.Alert != nil || e.DeadLetter != nil {
			entries[e.Seq] = fmt.Sprint(e.Type)
		}
	}
	faults := onceEach(entries, w.consume("metrics", "alerts", "dead-letters"))
	for _, f := range first(faults, 5) {
		w.t.Errorf("of %d faults on the topics: %s", len(faults), f)
	}
}

// crash cuts the server off and takes its memory away, and what it has not synced, or some of that.
func (w *world) crash() {
	w.cutOff()
	survivor := w.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: w.rng.IntN(101), RNG: w.rng})
	w.halt()
	w.disk = survivor
	pass(time.Duration(w.rng.IntN(90)) * time.Second)
	w.boot()
}

// restart ends the server in good order.
func (w *world) restart() {
	w.halt()
	pass(time.Duration(w.rng.IntN(90)) * time.Second)
	w.boot()
}
