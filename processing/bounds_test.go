package processing_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// However much is dead at once, each commit takes some of it: a batch stays small, and so does what is held meanwhile.
func TestCommitsAreBoundedByBytes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const letters, size, most = 2000, 64 << 10, 64 << 20
		log, store := memory.NewLog(2, 150), memory.NewStore()
		value := bytes.Repeat([]byte("x"), size)
		for i := range letters {
			log.Append(event.Record{Partition: event.PartitionID(i % 2), Timestamp: 1, Value: value})
		}
		// The interval of commits is an hour: only what they would hold makes them.
		r := start(t, log, store, "metrics:"+rigViews, func(o *processing.Options) { o.MinCommit, o.MaxCommit = time.Hour, time.Hour })
		pass(10 * time.Minute)
		r.end()
		commits := 0
		for _, c := range r.seen.all() {
			n := 0
			for _, e := range c.Entries {
				n += len(e.DeadLetter.Value)
			}
			if n > most {
				t.Errorf("a commit has %d bytes", n)
			}
			commits++
		}
		if commits < letters*size/most {
			t.Errorf("%d commits", commits)
		}
		c := r.Status().Counters
		r.want("counters", fmt.Sprint(c.Consumed, c.DeadLetters), fmt.Sprint(letters, letters))
		for i, e := range store.Entries() {
			r.want("sequence", e.Seq, i+1)
		}
	})
}

// Records that wait because their partition is ahead of W are bounded by their bytes too.
func TestWaitingIsBoundedByBytes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const records, size = 300, 1 << 20
		log := memory.NewLog(2, 10)
		log.Stall(0)
		log.Append(rec(0, time.Second, "url=/slow"), rec(0, 3*time.Hour, "url=/slow"))
		long := rec(1, 2*time.Hour, "url="+string(bytes.Repeat([]byte("x"), size)))
		first := rec(1, time.Hour, "url=/ahead")
		log.Append(first)
		for range records {
			log.Append(long)
		}
		r := start(t, log, memory.NewStore(), "metrics:"+rigViews)
		pass(10 * time.Second)
		if n := r.reader.Fetched(1); n > 200 {
			t.Errorf("%d records of a megabyte wait", n)
		}
		log.Flow(0)
		pass(time.Minute)
		r.want("position", r.partition(1).Position, records+1)
		r.end()
	})
}
