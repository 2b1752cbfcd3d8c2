package aggregate

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// maxBuckets is how far apart the buckets of a sketch may be. What lies lower is counted in the lowest bucket that the
// highest one allows, which depends on the numbers alone, not on their order.
const maxBuckets = 2048

// The buckets that numbers of a float64's range can have lie within these bounds.
const (
	lowestBucket  = -1 << 16
	highestBucket = 1 << 16
)

// buckets counts by bucket. Few buckets are a sorted list, so that a thousand groups with a few numbers each stay
// small; more are an array over a range, with room to both sides.
type buckets struct {
	few    []bucket
	low    int // the bucket of counts[0]
	counts []uint64
}

type bucket struct {
	index int
	count uint64
}

// fewBuckets is the length of the list at which it becomes an array.
const fewBuckets = 24

func (b *buckets) add(index int, n uint64) {
	if i := uint(index - b.low); i < uint(len(b.counts)) {
		b.counts[i] += n
		return
	}
	if b.counts == nil && len(b.few) < fewBuckets {
		b.addFew(index, n)
		return
	}
	b.widen(index)
	b.counts[max(index-b.low, 0)] += n
}

func (b *buckets) addFew(index int, n uint64) {
	at := 0
	for at < len(b.few) && b.few[at].index < index {
		at++
	}
	if at < len(b.few) && b.few[at].index == index {
		b.few[at].count += n
		return
	}
	if len(b.few) > 0 && max(index, b.few[len(b.few)-1].index)-min(index, b.few[0].index) >= maxBuckets {
		b.widen(index)
		b.counts[max(index-b.low, 0)] += n
		return
	}
	if cap(b.few) == 0 {
		b.few = make([]bucket, 0, 4)
	}
	b.few = slices.Insert(b.few, at, bucket{index, n})
}

// widen makes the array reach a bucket, or, if that is too far below the highest one, as low as it can. Counts that
// fall below the new range go into its lowest bucket.
func (b *buckets) widen(index int) {
	low, high := index, index
	b.each(func(index int, _ uint64) {
		low, high = min(low, index), max(high, index)
	})
	low = max(low, high-maxBuckets+1)
	const room = 32
	span := high - low + 1
	size := min(maxBuckets, (span+2*room)/room*room)
	wide := buckets{low: low - (size-span)/2, counts: make([]uint64, size)}
	b.each(func(index int, n uint64) {
		wide.counts[max(index, low)-wide.low] += n
	})
	b.few, b.low, b.counts = nil, wide.low, wide.counts
}

// each calls f for every bucket that counts something, in ascending order.
func (b *buckets) each(f func(index int, n uint64)) {
	for _, e := range b.few {
		f(e.index, e.count)
	}
	for i, n := range b.counts {
		if n != 0 {
			f(b.low+i, n)
		}
	}
}

func (b *buckets) merge(o *buckets) {
	o.each(b.add)
}

func (b *buckets) reset() {
	b.few = b.few[:0]
	clear(b.counts)
}

func (b *buckets) empty() bool { return b.used() == 0 }

func (b *buckets) used() (n int) {
	b.each(func(int, uint64) { n++ })
	return n
}

func (b *buckets) total() (n uint64) {
	b.each(func(_ int, count uint64) { n += count })
	return n
}

// at returns the bucket of a rank, counted from 0.
func (b *buckets) at(rank float64) (index int) {
	var n uint64
	found := false
	b.each(func(i int, count uint64) {
		n += count
		if !found {
			index, found = i, float64(n) > rank
		}
	})
	return index
}

// appendTo appends the number of buckets less one, the lowest one, and for each its distance to the one before, less
// one, and its count, less one.
func (b *buckets) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(b.used()-1))
	next, first := 0, true
	b.each(func(index int, n uint64) {
		if first {
			dst = binary.AppendVarint(dst, int64(index))
			first = false
		} else {
			dst = binary.AppendUvarint(dst, uint64(index-next))
		}
		dst = binary.AppendUvarint(dst, n-1)
		next = index + 1
	})
	return dst
}

func (b *buckets) mergeBytes(src []byte) (rest []byte, err error) {
	more, src, err := readUvarint(src)
	if err != nil {
		return nil, err
	}
	lowest, src, err := readVarint(src)
	if err != nil {
		return nil, err
	}
	if more >= maxBuckets || lowest < lowestBucket || lowest > highestBucket {
		return nil, fmt.Errorf("%d buckets from %d: %w", more, lowest, ErrCorrupt)
	}
	index := int(lowest)
	for i := uint64(0); ; i++ {
		var n uint64
		if n, src, err = readUvarint(src); err != nil {
			return nil, err
		}
		if n+1 == 0 {
			return nil, fmt.Errorf("count of bucket %d: %w", index, ErrCorrupt)
		}
		b.add(index, n+1)
		if i == more {
			return src, nil
		}
		var distance uint64
		if distance, src, err = readUvarint(src); err != nil {
			return nil, err
		}
		if distance >= maxBuckets || index+int(distance)+1-int(lowest) >= maxBuckets {
			return nil, fmt.Errorf("bucket %d past %d: %w", distance, index, ErrCorrupt)
		}
		index += int(distance) + 1
	}
}

func skipBuckets(src []byte) (rest []byte, err error) {
	more, src, err := readUvarint(src)
	if err != nil {
		return nil, err
	}
	if more >= maxBuckets {
		return nil, fmt.Errorf("%d buckets: %w", more, ErrCorrupt)
	}
	for range 2 * (more + 1) {
		if _, src, err = readUvarint(src); err != nil {
			return nil, err
		}
	}
	return src, nil
}
