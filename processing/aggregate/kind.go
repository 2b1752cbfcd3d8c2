package aggregate

import (
	"errors"
	"fmt"
)

// ErrCorrupt is returned, wrapped, for bytes that are no row in canonical form.
var ErrCorrupt = errors.New("corrupt accumulator")

var kindNames = [...]string{
	Count:    "count",
	Sum:      "sum",
	Avg:      "avg",
	Min:      "min",
	Max:      "max",
	Uniques:  "uniques",
	Quantile: "quantile",
	First:    "first",
	Last:     "last",
}

// Valid reports whether k is one of the kinds above: a byte from disk may not be.
func (k Kind) Valid() bool { return k >= Count && k <= Last }

func (k Kind) String() string {
	if !k.Valid() {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// New returns an empty column of a kind.
func New(kind Kind) Column {
	switch kind {
	case Count:
		return new(CountColumn)
	case Sum:
		return new(sumColumn)
	case Avg:
		return new(avgColumn)
	case Min:
		return new(minColumn)
	case Max:
		return new(maxColumn)
	case Uniques:
		return new(UniquesColumn)
	case Quantile:
		return new(quantileColumn)
	case First:
		return new(firstColumn)
	case Last:
		return new(lastColumn)
	default:
		panic(fmt.Sprintf("BUG: no column for %v", kind))
	}
}

// SkipRow returns what follows a row in canonical form. It checks no more than it needs to find the row's end.
func SkipRow(kind Kind, src []byte) (rest []byte, err error) {
	switch kind {
	case Count:
		_, rest, err = readUvarint(src)
	case Sum:
		_, rest, err = readFixed(src)
	case Avg:
		_, _, rest, err = readAvg(src)
	case Min, Max:
		_, _, rest, err = readNumber(src)
	case Uniques:
		rest, err = skipRegisters(src)
	case Quantile:
		rest, err = skipSketch(src)
	case First, Last:
		_, rest, err = readWitness(src)
	default:
		err = fmt.Errorf("kind %d: %w", kind, ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("skip %v: %w", kind, err)
	}
	return rest, nil
}
