package simulator

import "github.com/tidemark/tidemark/processing/event"

// queue hands items out by time, then by serial number: a binary heap.
type queue[T any] struct {
	items []queued[T]
}

type queued[T any] struct {
	at     event.Millis
	serial uint64
	item   T
}

func (q *queued[T]) before(o *queued[T]) bool {
	return q.at < o.at || q.at == o.at && q.serial < o.serial
}

// next is the time of the first item; an empty queue has nothing until the end of time.
func (q *queue[T]) next() event.Millis {
	if len(q.items) == 0 {
		return endOfTime
	}
	return q.items[0].at
}

func (q *queue[T]) push(at event.Millis, serial uint64, item T) {
	q.items = append(q.items, queued[T]{at, serial, item})
	i := len(q.items) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !q.items[i].before(&q.items[parent]) {
			return
		}
		q.items[i], q.items[parent] = q.items[parent], q.items[i]
		i = parent
	}
}

func (q *queue[T]) pop() T {
	first, last := q.items[0], len(q.items)-1
	q.items[0] = q.items[last]
	q.items[last] = queued[T]{} // lets go of what the item refers to
	q.items = q.items[:last]
	q.sink()
	return first.item
}

// postpone gives the first item a later time: cheaper than pop and push.
func (q *queue[T]) postpone(at event.Millis) {
	q.items[0].at = at
	q.sink()
}

// sink moves the first item down to its place.
func (q *queue[T]) sink() {
	i := 0
	for {
		least := 2*i + 1
		if least >= len(q.items) {
			return
		}
		if right := least + 1; right < len(q.items) && q.items[right].before(&q.items[least]) {
			least = right
		}
		if !q.items[least].before(&q.items[i]) {
			return
		}
		q.items[i], q.items[least] = q.items[least], q.items[i]
		i = least
	}
}

const endOfTime event.Millis = 1<<63 - 1
