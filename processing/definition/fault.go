package definition

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a definitions file.
type Fault struct {
	File    string
	Line    int // from 1
	Column  int // from 1, in characters
	Path    string
	Message string
}

func (f Fault) String() string {
	if f.Path == "" {
		return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", f.File, f.Line, f.Column, f.Path, f.Message)
}

// Faults is everything that is wrong with a definitions file, in the order of the file.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// spot is a place in a file that a fault can point at.
type spot struct {
	file   *source
	line   int
	column int
	path   string
}

// faults collects. The same fault found twice, say in a `let` that two metrics use, is kept once.
type faults struct {
	all Faults
}

func (f *faults) add(at spot, format string, args ...any) {
	fault := Fault{File: at.file.name, Line: at.line, Column: at.column, Path: at.path, Message: fmt.Sprintf(format, args...)}
	if !slices.Contains(f.all, fault) {
		f.all = append(f.all, fault)
	}
}

// err returns the faults as an error, or nil when there are none.
func (f *faults) err() error {
	if len(f.all) == 0 {
		return nil
	}
	slices.SortStableFunc(f.all, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return f.all
}

// didYouMean returns `, did you mean "x"?` for the known word nearest to the given one, or nothing when none is near.
func didYouMean(word string, known []string) string {
	best, bestDistance := "", min(len(word)/4+2, len(word))
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// manyWords is how many words a fault lists where none is near.
const manyWords = 16

// hint is didYouMean, or else the words there are, unless they are too many.
func hint(word string, known []string) string {
	if h := didYouMean(word, known); h != "" || len(known) == 0 {
		return h
	}
	if len(known) > manyWords {
		return ""
	}
	return "; there are " + strings.Join(known, ", ")
}

// editDistance counts the bytes to insert, delete, replace or exchange with their neighbour to get from a to b
// (optimal string alignment).
func editDistance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			replaced := row[j]
			if a[i] != b[j] {
				replaced++
			}
			next[j+1] = min(replaced, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
