package bench

import (
	"cmp"
	"slices"
)

// Buckets brings events into total order as a careful author would: by second as they come, each second sorted once,
// when it is released. Keys are copied into one piece of memory a second.
type Buckets struct {
	seconds map[int64]*bucket
	next    int64 // the first second that has not been released
	free    []*bucket
}

type bucket struct {
	held []heldKey
	keys []byte
}

type heldKey struct {
	time, offset int64
	partition    int32
	start, end   int32
	view, ends   bool
}

// Hold keeps an event, with a copy of its key. An event whose second has been released is refused.
func (b *Buckets) Hold(e Held) {
	if b.seconds == nil {
		b.seconds = make(map[int64]*bucket)
	}
	second := e.Time / 1000
	if second < b.next {
		return
	}
	in := b.seconds[second]
	if in == nil {
		if n := len(b.free); n > 0 {
			in, b.free = b.free[n-1], b.free[:n-1]
		} else {
			in = new(bucket)
		}
		b.seconds[second] = in
	}
	start := len(in.keys)
	in.keys = append(in.keys, e.Session...)
	in.held = append(in.held, heldKey{e.Time, e.Offset, e.Partition, int32(start), int32(len(in.keys)), e.View, e.End})
}

// Release hands on the seconds that end at or before w.
func (b *Buckets) Release(w int64, each func(*Held)) {
	var row Held // handed on, again and again
	var due []int64
	for s := range b.seconds {
		if (s+1)*1000-1 <= w {
			due = append(due, s)
		}
	}
	slices.Sort(due)
	for _, s := range due {
		in := b.seconds[s]
		slices.SortFunc(in.held, func(x, y heldKey) int {
			if c := cmp.Compare(x.time, y.time); c != 0 {
				return c
			}
			if c := cmp.Compare(x.partition, y.partition); c != 0 {
				return c
			}
			return cmp.Compare(x.offset, y.offset)
		})
		for _, h := range in.held {
			row = Held{Time: h.time, Offset: h.offset, Partition: h.partition, View: h.view, End: h.ends, Session: in.keys[h.start:h.end]}
			each(&row)
		}
		in.held, in.keys = in.held[:0], in.keys[:0]
		b.free = append(b.free, in)
		delete(b.seconds, s)
		b.next = s + 1
	}
}
