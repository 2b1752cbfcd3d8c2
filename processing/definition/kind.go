package definition

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing/event"
)

// kind is the type of a field or of an expression.
type kind uint8

const (
	badKind kind = iota // already reported: silences what would follow from it
	nilKind
	boolKind
	intKind
	floatKind
	textKind
)

func (k kind) String() string {
	switch k {
	case nilKind:
		return "nil"
	case boolKind:
		return "boolean"
	case intKind, floatKind:
		return "number"
	case textKind:
		return "text"
	default:
		panic(fmt.Sprintf("BUG: kind %d has no name", k))
	}
}

func (k kind) number() bool { return k == intKind || k == floatKind }

// simple kinds have values that can be grouped by and kept.
func (k kind) simple() bool { return k == boolKind || k == textKind || k.number() }

// field is what a name or a path leads to.
type field struct {
	kind    kind
	symbols []string // of an enum
}

// kindOf is the kind of an event's values; ok is false for those that can be of several kinds, or only null.
func kindOf(k event.Kind) (kind, bool) {
	switch k {
	case event.Bool:
		return boolKind, true
	case event.Int:
		return intKind, true
	case event.Float:
		return floatKind, true
	case event.String:
		return textKind, true
	default:
		return badKind, false
	}
}

// eventSchema answers what stands at paths of an event, and remembers: to look a path up reads the schema anew.
type eventSchema struct {
	text  string
	known map[string]lookup
}

type lookup struct {
	info event.TypeInfo
	err  error
}

// newEventSchema refuses a schema that can't be read or is no record.
func newEventSchema(text string) (*eventSchema, error) {
	var path *event.PathError
	_, err := event.Lookup(text, nil)
	switch {
	case err == nil || errors.As(err, &path) && path.Found != "record":
		return nil, errors.New("read event schema: it is not a record")
	case path == nil:
		return nil, fmt.Errorf("read event schema: %w", err)
	default:
		return &eventSchema{text: text, known: map[string]lookup{}}, nil
	}
}

// at is event.Lookup.
func (s *eventSchema) at(path event.Path) (event.TypeInfo, error) {
	key := strings.Join(path, "\x00")
	l, ok := s.known[key]
	if !ok {
		l.info, l.err = event.Lookup(s.text, path)
		s.known[key] = l
	}
	return l.info, l.err
}

// inner finds the field below the top whose name is nearest to the given one, nil when none is near: people forget the
// records that a field stands in.
func (s *eventSchema) inner(name string) event.Path {
	var best event.Path
	nearest := min(len(name)/4+1, len(name))
	var visit func(path event.Path)
	visit = func(path event.Path) {
		_, err := s.at(path)
		if len(path) > 1 {
			if d := editDistance(strings.ToLower(path[len(path)-1]), strings.ToLower(name)); d < nearest {
				best, nearest = path, d
			}
		}
		var wrong *event.PathError
		if !errors.As(err, &wrong) || len(path) == maxDepth {
			return
		}
		for _, field := range wrong.Known {
			visit(append(slices.Clone(path), field))
		}
	}
	visit(nil)
	return best
}

// maxDepth is how deep inner looks: a schema may contain itself.
const maxDepth = 4
