package event

import (
	"bytes"
	"sync"
)

// maxSymbols bounds the numbers, so that what is kept by number stays small. Symbols beyond it are plain Strings.
const maxSymbols = 4096

// symbols numbers texts, for all schemas of the process: equal texts have equal numbers, whichever decoder they come from.
// Only the compiling of schemas comes here.
var symbols = struct {
	sync.Mutex
	numbers map[string]int
}{numbers: make(map[string]int)}

// symbolsByNumber needs no lock: an entry is written once, before anyone has its number.
var symbolsByNumber [maxSymbols]struct {
	value Value
	hash  uint64
}

// SymbolValue returns a String for an enum's symbol. It has a number, by which what is known of the text can be looked
// up without reading it.
func SymbolValue(text []byte) Value {
	symbols.Lock()
	defer symbols.Unlock()
	n, known := symbols.numbers[string(text)]
	if known {
		return symbolsByNumber[n].value
	}
	v := StringValue(bytes.Clone(text))
	if n = len(symbols.numbers) + 1; n < maxSymbols {
		s := &symbolsByNumber[n]
		s.hash = v.Hash()
		v.symbol = uint16(n)
		s.value = v
		symbols.numbers[string(text)] = n
	}
	return v
}

// Symbol is the number of an enum's symbol, small and greater than 0; it is 0 for every other value. The numbers mean
// nothing outside of this process.
func (v *Value) Symbol() int { return int(v.symbol) }

// Symbol returns the value that has a number.
func Symbol(number int) Value { return symbolsByNumber[number].value }
