package reference

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/processing/event"
)

// File is a definitions file as it is in force.
type File struct {
	outOfOrderness, futureSkew, minTime event.Millis
	lets                                map[string]ast.Node
	kinds                               []kind
	metrics                             []metric
}

// kind is a session kind.
type kind struct {
	name             string
	key, endWhen     ast.Node
	gap, maxDuration event.Millis
	aggregates       []aggregate
}

type metric struct {
	name                          string
	from                          string
	size, slide, offset, lateness event.Millis
	keys                          []key
	limit                         int
	aggregates                    []aggregate
	value, having                 ast.Node
}

type key struct {
	name string
	of   ast.Node
}

type aggregate struct {
	name, does string
	of, where  ast.Node // nil: none
	q          float64
	total      bool
}

type yamlFile struct {
	Source   map[string]string
	Defaults *bool
	Disable  []string
	Let      map[string]string
	Sessions []struct {
		Name, Key, Gap string
		MaxDuration    string `yaml:"max_duration"`
		EndWhen        string `yaml:"end_when"`
		Aggregates     map[string]map[string]any
	}
	Metrics []struct {
		Name, From    string
		Window        struct{ Size, Slide, Offset string }
		Lateness      string    `yaml:"allowed_lateness"`
		GroupBy       yaml.Node `yaml:"group_by"`
		Limit         *int
		Aggregates    map[string]map[string]any
		Value, Having string
	}
}

// Read reads files, each of which extends the one before. It panics on what is wrong: the engine has accepted them.
func Read(contents ...[]byte) *File {
	f := &File{lets: map[string]ast.Node{}}
	for _, content := range contents {
		var y yamlFile
		must(yaml.Unmarshal(content, &y))
		f.extend(&y)
	}
	return f
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (f *File) extend(y *yamlFile) {
	if y.Defaults != nil && !*y.Defaults {
		f.lets, f.kinds, f.metrics = map[string]ast.Node{}, nil, nil
	}
	span := func(to *event.Millis, text string) {
		if text != "" {
			*to = millis(text)
		}
	}
	span(&f.outOfOrderness, y.Source["out_of_orderness"])
	span(&f.futureSkew, y.Source["max_future_skew"])
	if text := y.Source["min_time"]; text != "" {
		t, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
		must(err)
		f.minTime = event.Millis(t.UnixMilli())
	}
	for name, text := range y.Let {
		f.lets[name] = parse(text)
	}
	gone := func(name string) bool { return slices.Contains(y.Disable, name) }
	f.kinds = slices.DeleteFunc(f.kinds, func(k kind) bool { return gone(k.name) })
	f.metrics = slices.DeleteFunc(f.metrics, func(m metric) bool { return gone(m.name) || gone(m.from) })
	for _, s := range y.Sessions {
		k := kind{name: s.Name, key: parse(s.Key), endWhen: parse(s.EndWhen), gap: 30 * 60_000, maxDuration: 12 * 3_600_000}
		span(&k.gap, s.Gap)
		span(&k.maxDuration, s.MaxDuration)
		k.aggregates = aggregates(s.Aggregates)
		f.kinds = append(slices.DeleteFunc(f.kinds, func(o kind) bool { return o.name == k.name }), k)
	}
	for _, s := range y.Metrics {
		m := metric{
			name: s.Name, from: s.From, size: millis(s.Window.Size), lateness: 60_000, limit: 100,
			aggregates: aggregates(s.Aggregates), value: parse(s.Value), having: parse(s.Having),
		}
		m.slide = m.size
		span(&m.slide, s.Window.Slide)
		span(&m.offset, s.Window.Offset)
		span(&m.lateness, s.Lateness)
		if m.from != "" {
			m.lateness = 0
		}
		if s.Limit != nil {
			m.limit = *s.Limit
		}
		m.keys = keys(&s.GroupBy)
		if m.value == nil {
			for _, a := range m.aggregates {
				if !a.total {
					m.value = parse(a.name)
				}
			}
		}
		f.metrics = append(slices.DeleteFunc(f.metrics, func(o metric) bool { return o.name == m.name }), m)
	}
}

// keys are those of group_by, in the order of their names.
func keys(n *yaml.Node) []key {
	var named map[string]string
	if n.Kind == yaml.SequenceNode {
		var paths []string
		must(n.Decode(&paths))
		named = map[string]string{}
		for _, path := range paths {
			named[snake(path[strings.LastIndex(path, ".")+1:])] = path
		}
	} else if n.Kind != 0 {
		must(n.Decode(&named))
	}
	var list []key
	for _, name := range slices.Sorted(maps.Keys(named)) {
		list = append(list, key{name, parse(named[name])})
	}
	return list
}

// snake writes deviceType as device_type.
func snake(camel string) string {
	var b strings.Builder
	for _, c := range camel {
		if unicode.IsUpper(c) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return strings.TrimPrefix(b.String(), "_")
}

// aggregates are in the order of their names.
func aggregates(named map[string]map[string]any) []aggregate {
	var list []aggregate
	for _, name := range slices.Sorted(maps.Keys(named)) {
		a := aggregate{name: name}
		for word, value := range named[name] {
			text := fmt.Sprint(value)
			switch word {
			case "where":
				a.where = parse(text)
			case "q":
				var err error
				a.q, err = strconv.ParseFloat(text, 64)
				must(err)
			case "total":
				a.total = text == "true"
			case "count":
				a.does = "count"
				if value != nil && text != "true" {
					a.where = parse(text)
				}
			default:
				a.does, a.of = word, parse(text)
			}
		}
		list = append(list, a)
	}
	return list
}

// parse reads an expression, nil for none.
func parse(text string) ast.Node {
	if text == "" {
		return nil
	}
	tree, err := parser.Parse(text)
	must(err)
	return tree.Node
}

// millis reads a duration; a day has 24 hours.
func millis(text string) event.Millis {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		must(err)
		return event.Millis(n) * 24 * 3_600_000
	}
	d, err := time.ParseDuration(text)
	must(err)
	return event.Millis(d.Milliseconds())
}
