package aggregate

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// The shape of the HyperLogLog: the first 14 bits of a hash choose a register, which keeps the highest rank seen, that
// is, the place of the first one among the other 50 bits.
const (
	precision     = 14
	registerCount = 1 << precision
	maxRank       = 64 - precision + 1
)

// registers are the registers of one HyperLogLog. Few of them stand in a small hash table, many in an array; which of
// the two it is shows nowhere.
type registers struct {
	table []uint32 // sparse: open addressing; register<<8 | rank, 0 is free
	used  int      // of table
	dense *[registerCount]uint8
}

const (
	firstTable = 8
	lastTable  = 1024 // takes a quarter of the memory of the array
	fibonacci  = 0x9E3779B1
)

// place is the register of a hash, and its rank.
func place(h uint64) (register uint32, rank uint8) {
	return uint32(h >> (64 - precision)), uint8(bits.LeadingZeros64(h<<precision|1<<(precision-1))) + 1
}

func (r *registers) add(register uint32, rank uint8) {
	if r.dense != nil {
		r.dense[register] = max(r.dense[register], rank)
		return
	}
	r.addSparse(register, rank)
}

func (r *registers) addSparse(register uint32, rank uint8) {
	if 2*r.used >= len(r.table) {
		r.grow()
		if r.dense != nil {
			r.dense[register] = max(r.dense[register], rank)
			return
		}
	}
	entry := register<<8 | uint32(rank)
	mask := uint32(len(r.table) - 1)
	for at := register * fibonacci >> 16 & mask; ; at = (at + 1) & mask {
		switch have := r.table[at]; {
		case have == 0:
			r.table[at] = entry
			r.used++
			return
		case have>>8 == register:
			r.table[at] = max(have, entry)
			return
		}
	}
}

func (r *registers) grow() {
	old := r.table
	if len(old) == lastTable {
		r.dense = new([registerCount]uint8)
		for _, e := range old {
			if e != 0 {
				r.dense[e>>8] = uint8(e)
			}
		}
		r.table, r.used = nil, 0
		return
	}
	r.table, r.used = make([]uint32, max(firstTable, 2*len(old))), 0
	for _, e := range old {
		if e != 0 {
			r.addSparse(e>>8, uint8(e))
		}
	}
}

func (r *registers) merge(o *registers) {
	if o.dense == nil {
		for _, e := range o.table {
			if e != 0 {
				r.add(e>>8, uint8(e))
			}
		}
		return
	}
	r.toDense()
	for i := 0; i < registerCount; i += 8 {
		theirs := binary.LittleEndian.Uint64(o.dense[i:])
		if theirs == 0 {
			continue
		}
		ours := binary.LittleEndian.Uint64(r.dense[i:])
		binary.LittleEndian.PutUint64(r.dense[i:], maxBytes(ours, theirs))
	}
}

// maxBytes is the larger of each of eight bytes. All are below 128, so that setting the high bit keeps borrows apart.
func maxBytes(a, b uint64) uint64 {
	const high = 0x8080808080808080
	geq := ((a | high) - b) & high // the high bit of each byte where a >= b
	mask := geq - geq>>7 | geq     // all bits of it
	return a&mask | b&^mask
}

func (r *registers) toDense() {
	if r.dense != nil {
		return
	}
	r.dense = new([registerCount]uint8)
	for _, e := range r.table {
		if e != 0 {
			r.dense[e>>8] = uint8(e)
		}
	}
	r.table, r.used = nil, 0
}

// hurry changes to the array early, which costs memory and makes adding three times as fast.
func (r *registers) hurry() {
	if r.used > hurryAfter {
		r.toDense()
	}
}

// hurryAfter is how many registers a lone row has in its table: those of a quiet server never need the array.
const hurryAfter = 64

// reset empties the registers and keeps the memory.
func (r *registers) reset() {
	if r.dense != nil {
		clear(r.dense[:])
		return
	}
	clear(r.table)
	r.used = 0
}

// estimate is LogLog-Beta (Qin, Kim, Tung, 2016): one formula for all cardinalities, with the paper's coefficients for
// precision 14. It counts equal registers first, so that the order of registers can't change how the sum rounds.
func (r *registers) estimate() float64 {
	var counts [maxRank + 1]int
	if r.dense != nil {
		for _, rank := range r.dense {
			counts[rank]++
		}
	} else {
		for _, e := range r.table {
			counts[uint8(e)]++
		}
		counts[0] = registerCount - r.used
	}
	if counts[0] == registerCount {
		return 0
	}
	sum := 0.0
	for rank, n := range counts {
		sum += math.Ldexp(float64(n), -rank)
	}
	const m = registerCount
	zeros := float64(counts[0])
	alpha := 0.7213 / (1 + 1.079/float64(m))
	return math.Floor(alpha*m*(m-zeros)/(sum+beta(zeros)) + 0.5)
}

func beta(zeros float64) float64 {
	z := math.Log(zeros + 1)
	b := 0.0
	for _, c := range [...]float64{
		0.000449704299509437, -0.00599583540511831, 0.0431106699492820, -0.116710521803686,
		0.203015527328432, 0.185796293324165, 0.00978811941207509,
	} {
		b = (b + c) * z
	}
	return b - 0.371009760230692*zeros
}

// The canonical form is the number of registers that are not 0; then, up to sparseLimit of them, each as the distance
// to the one before and its rank; beyond it, all registers in six bits each.
const (
	sparseLimit = registerCount / 4
	rankBits    = 6
	packedSize  = registerCount * rankBits / 8
)

func (r *registers) appendTo(dst []byte, scratch []uint32) (_ []byte, entries []uint32) {
	entries = scratch
	if r.dense != nil {
		if n := r.nonZero(); n > sparseLimit {
			return r.appendPacked(binary.AppendUvarint(dst, uint64(n))), entries
		}
		for i := 0; i < registerCount; i += 8 {
			if binary.LittleEndian.Uint64(r.dense[i:]) == 0 {
				continue
			}
			for j, rank := range r.dense[i : i+8] {
				if rank != 0 {
					entries = append(entries, uint32(i+j)<<8|uint32(rank))
				}
			}
		}
	} else {
		for _, e := range r.table {
			if e != 0 {
				entries = append(entries, e)
			}
		}
		slices.Sort(entries)
	}
	dst = binary.AppendUvarint(dst, uint64(len(entries)))
	next := uint32(0)
	for _, e := range entries {
		dst = binary.AppendUvarint(dst, uint64(e>>8-next)<<rankBits|uint64(e&0xff))
		next = e>>8 + 1
	}
	return dst, entries
}

func (r *registers) nonZero() int {
	n := 0
	for i := 0; i < registerCount; i += 8 {
		w := binary.LittleEndian.Uint64(r.dense[i:])
		n += bits.OnesCount64((w + 0x7f7f7f7f7f7f7f7f) & 0x8080808080808080)
	}
	return n
}

// appendPacked packs four registers into three bytes.
func (r *registers) appendPacked(dst []byte) []byte {
	dst = slices.Grow(dst, packedSize)
	for i := 0; i < registerCount; i += 4 {
		w := uint32(r.dense[i]) | uint32(r.dense[i+1])<<6 | uint32(r.dense[i+2])<<12 | uint32(r.dense[i+3])<<18
		dst = append(dst, byte(w), byte(w>>8), byte(w>>16))
	}
	return dst
}

func (r *registers) mergeBytes(src []byte) (rest []byte, err error) {
	n, src, err := readUvarint(src)
	if err != nil {
		return nil, err
	}
	if n > sparseLimit {
		return r.mergePacked(n, src)
	}
	next := uint64(0)
	for range n {
		var entry uint64
		if entry, src, err = readUvarint(src); err != nil {
			return nil, err
		}
		distance, rank := entry>>rankBits, entry&(1<<rankBits-1)
		if distance >= registerCount || next+distance >= registerCount || rank == 0 || rank > maxRank {
			return nil, fmt.Errorf("register %d past %d with rank %d: %w", distance, next, rank, ErrCorrupt)
		}
		r.add(uint32(next+distance), uint8(rank))
		next += distance + 1
	}
	return src, nil
}

func (r *registers) mergePacked(n uint64, src []byte) (rest []byte, err error) {
	if len(src) < packedSize {
		return nil, fmt.Errorf("%d bytes of packed registers: %w", len(src), ErrCorrupt)
	}
	var theirs [registerCount]uint8
	packed := src[:packedSize]
	for i := 0; i < registerCount; i += 4 {
		w := uint32(packed[0]) | uint32(packed[1])<<8 | uint32(packed[2])<<16
		theirs[i], theirs[i+1], theirs[i+2], theirs[i+3] = uint8(w&63), uint8(w>>6&63), uint8(w>>12&63), uint8(w>>18)
		packed = packed[3:]
	}
	o := registers{dense: &theirs}
	if got := o.nonZero(); uint64(got) != n || slices.Max(theirs[:]) > maxRank {
		return nil, fmt.Errorf("%d registers set, %d promised: %w", got, n, ErrCorrupt)
	}
	r.merge(&o)
	return src[packedSize:], nil
}

func skipRegisters(src []byte) (rest []byte, err error) {
	n, src, err := readUvarint(src)
	if err != nil {
		return nil, err
	}
	if n > sparseLimit {
		if len(src) < packedSize {
			return nil, fmt.Errorf("%d bytes of packed registers: %w", len(src), ErrCorrupt)
		}
		return src[packedSize:], nil
	}
	for range n {
		if _, src, err = readUvarint(src); err != nil {
			return nil, err
		}
	}
	return src, nil
}
