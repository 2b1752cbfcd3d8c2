package processing

import (
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// A worker may be done with a portion, and its records be cleared for the next answer, before the loop goes on: what waits is counted
// all the same. Otherwise a queue would seem to be crowded with nothing in it, and its partition stand still.
func TestWhatWaitsIsCountedHoweverQuickWorkersAre(t *testing.T) {
	w := &worker{in: make(chan message)}
	go func() {
		for m := range w.in {
			clear(m.whole.Records)
		}
	}()
	defer close(w.in)
	in := &intake{workers: []*worker{w}, shared: &shared{}}
	p := &partition{}
	for range 500 {
		records := make([]event.Record, portion)
		q := &queue{answers: []arrival{{Fetched: Fetched{Records: records}}}, records: portion}
		for i := range records {
			records[i].Value = make([]byte, 10)
			q.bytes += sizeOf(&records[i])
		}
		in.send(t.Context(), p, q)
		if q.records != 0 || q.bytes != 0 || len(q.answers) != 0 {
			t.Fatalf("%d records and %d bytes wait in %d answers", q.records, q.bytes, len(q.answers))
		}
	}
}
