package aggregate

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// accuracy is the relative error of a quantile.
const accuracy = 0.01

// scale maps a magnitude to its bucket and back.
var scale = newScale()

func newScale() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(accuracy)
	if err != nil {
		panic("BUG: no mapping for the accuracy: " + err.Error())
	}
	return m
}

// wholeBuckets are the buckets of small whole numbers, which most of what is measured is (milliseconds, counts, items):
// the logarithm costs more than everything else that a sketch does with a number.
var wholeBuckets = func() (b [4096]int16) {
	for n := 1; n < len(b); n++ {
		b[n] = int16(scale.Index(float64(n)))
	}
	return b
}()

// sketch is a DDSketch (Masson, Rim, Lee, 2019) with integer counts: numbers are counted by the bucket of their
// magnitude, negative ones apart.
type sketch struct {
	zeros              uint64 // magnitudes too small for a bucket are zeros too
	positive, negative buckets
}

func (s *sketch) add(f float64) {
	if n := int(f); n > 0 && n < len(wholeBuckets) && float64(n) == f {
		s.positive.add(int(wholeBuckets[n]), 1)
		return
	}
	switch {
	case f > scale.MinIndexableValue():
		s.positive.add(scale.Index(f), 1)
	case f < -scale.MinIndexableValue():
		s.negative.add(scale.Index(-f), 1)
	default:
		s.zeros++
	}
}

func (s *sketch) merge(o *sketch) {
	s.zeros += o.zeros
	s.positive.merge(&o.positive)
	s.negative.merge(&o.negative)
}

func (s *sketch) reset() {
	s.zeros = 0
	s.positive.reset()
	s.negative.reset()
}

// quantile returns the number at a quantile in [0, 1]: that of rank q * (count - 1), counted from 0, rounded down.
func (s *sketch) quantile(q float64) (f float64, ok bool) {
	negative, positive := s.negative.total(), s.positive.total()
	count := negative + s.zeros + positive
	if count == 0 {
		return 0, false
	}
	rank := math.Floor(q * float64(count-1)) // or it would be rounded up among the negative, which are counted from the other end
	switch {
	case rank < float64(negative):
		return -scale.Value(s.negative.at(float64(negative-1) - rank)), true
	case rank < float64(negative+s.zeros):
		return 0, true
	default:
		return scale.Value(s.positive.at(rank - float64(negative+s.zeros))), true
	}
}

// The parts of a sketch that are there, in the first byte of its canonical form.
const (
	hasZeros = 1 << iota
	hasPositive
	hasNegative
	sketchParts = iota
)

func (s *sketch) appendTo(dst []byte) []byte {
	head := len(dst)
	dst = append(dst, 0)
	if s.zeros > 0 {
		dst[head] |= hasZeros
		dst = binary.AppendUvarint(dst, s.zeros)
	}
	if !s.positive.empty() {
		dst[head] |= hasPositive
		dst = s.positive.appendTo(dst)
	}
	if !s.negative.empty() {
		dst[head] |= hasNegative
		dst = s.negative.appendTo(dst)
	}
	return dst
}

func (s *sketch) mergeBytes(src []byte) (rest []byte, err error) {
	if len(src) == 0 || src[0]>>sketchParts != 0 {
		return nil, fmt.Errorf("sketch without a head: %w", ErrCorrupt)
	}
	head, src := src[0], src[1:]
	if head&hasZeros != 0 {
		var zeros uint64
		if zeros, src, err = readUvarint(src); err != nil {
			return nil, err
		}
		if zeros == 0 {
			return nil, fmt.Errorf("no zeros where some are promised: %w", ErrCorrupt)
		}
		s.zeros += zeros
	}
	if head&hasPositive != 0 {
		if src, err = s.positive.mergeBytes(src); err != nil {
			return nil, err
		}
	}
	if head&hasNegative != 0 {
		src, err = s.negative.mergeBytes(src)
	}
	return src, err
}

func skipSketch(src []byte) (rest []byte, err error) {
	if len(src) == 0 || src[0]>>sketchParts != 0 {
		return nil, fmt.Errorf("sketch without a head: %w", ErrCorrupt)
	}
	head, src := src[0], src[1:]
	if head&hasZeros != 0 {
		if _, src, err = readUvarint(src); err != nil {
			return nil, err
		}
	}
	for _, part := range [...]byte{hasPositive, hasNegative} {
		if head&part == 0 {
			continue
		}
		if src, err = skipBuckets(src); err != nil {
			return nil, err
		}
	}
	return src, nil
}
