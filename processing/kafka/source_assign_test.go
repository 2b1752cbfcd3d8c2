package kafka

import (
	"context"
	"slices"
	"testing"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// Whatever Poll gives says which assignment it was fetched under: of each, the first record is that of its position, and the
// others follow.
func TestSourceNumbersWhatItReads(t *testing.T) {
	t.Parallel()
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(1)})
	ctx, cancel := context.WithCancel(limit(t))
	defer cancel()
	write(t, b.Addr(), "events", 0, slices.Repeat([]string{"a"}, 200)...)
	s := newSource(t, clusterAt(b.Addr()))
	from := map[processing.Assignment]event.Offset{s.Assign(map[event.PartitionID]event.Offset{0: 0}): 0}
	answers := make(chan processing.Fetched)
	go func() {
		defer close(answers)
		for ctx.Err() == nil {
			for _, f := range s.Poll(ctx) {
				answers <- f
			}
		}
	}()
	next := map[processing.Assignment]event.Offset{}
	check := func(f processing.Fetched) {
		want, begun := next[f.Assignment]
		if !begun {
			want = from[f.Assignment]
		}
		if f.Err != nil || len(f.Records) == 0 || f.Records[0].Offset != want {
			t.Fatalf("assignment %d goes on at %d with %+v", f.Assignment, want, f)
		}
		next[f.Assignment] = f.Position
	}
	for n := range 60 {
		at := event.Offset(n * 37 % 190)
		given := make(chan processing.Assignment)
		go func() { given <- s.Assign(map[event.PartitionID]event.Offset{0: at}) }()
		var held []processing.Fetched // until it is known where they had to begin
		for number := processing.Assignment(0); number == 0; {
			select {
			case f := <-answers:
				held = append(held, f)
			case number = <-given:
				from[number] = at
			}
		}
		for _, f := range held {
			check(f)
		}
		if n%3 == 0 { // now and then all of it is read before it is assigned again
			for next[processing.Assignment(n+2)] < 200 {
				check(<-answers)
			}
		}
	}
	cancel()
	for range answers {
	}
}
