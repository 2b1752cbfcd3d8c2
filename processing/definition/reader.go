package definition

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const maxFile = 1 << 20 // bytes

// source is a file of definitions.
type source struct {
	name    string
	builtIn bool // the defaults
	lines   []string
}

// reader walks a YAML document, keeps the places, and collects faults instead of stopping at the first.
type reader struct {
	file   *source
	faults *faults
}

// parse returns the root of the document, or nil when there is none or a fault was found.
func (r *reader) parse(content []byte) *yaml.Node {
	start := spot{file: r.file, line: 1, column: 1}
	if len(content) > maxFile {
		r.faults.add(start, "the file is larger than %d bytes", maxFile)
		return nil
	}
	r.file.lines = strings.Split(string(content), "\n")
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, more yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		r.faults.add(start, "the file is empty: it needs at least `version: 1`")
		return nil
	}
	if err == nil {
		if err = decoder.Decode(&more); err == nil {
			r.faults.add(r.spot(&more, ""), "a file has one document")
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil
	}
	if len(document.Content) != 1 {
		r.faults.add(start, "the file is empty: it needs at least `version: 1`")
		return nil
	}
	return document.Content[0]
}

var (
	yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	// The library counts lines from 1 in what its scanner finds, and from 0 in these findings of its parser.
	yamlFromZero = regexp.MustCompile(`^(did not find expected (<document start>|node content|'-' indicator|key|',' or .*)|found (undefined tag handle|duplicate %.*|incompatible YAML document))$`)
)

func (r *reader) syntax(err error) {
	at := spot{file: r.file, line: 1, column: 1}
	text := err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if line, err := strconv.Atoi(m[1]); err == nil {
			at.line = line
			if yamlFromZero.MatchString(text) {
				at.line++
			}
		}
	}
	if strings.Contains(text, "did not find expected ',' or") {
		text += ": between braces and brackets an expression needs quotes"
	}
	r.faults.add(at, "%s", text)
}

func (r *reader) spot(n *yaml.Node, path string) spot {
	return spot{file: r.file, line: max(n.Line, 1), column: max(n.Column, 1), path: path}
}

// item is a value with its key and place.
type item struct {
	key   string
	at    spot // of the value
	keyAt spot
	node  *yaml.Node
}

// object is a YAML mapping whose keys are known.
type object struct {
	r     *reader
	at    spot
	items []item
}

// entries reads a mapping of any keys, each once.
func (r *reader) entries(n *yaml.Node, at spot) []item {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, at, "a mapping of keys and values")
		return nil
	}
	items := make([]item, 0, len(n.Content)/2)
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		keyAt := r.spot(k, at.path)
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" || k.Anchor != "" {
			r.faults.add(keyAt, "a key is a plain word")
			continue
		}
		path := k.Value
		if at.path != "" {
			path = at.path + "." + k.Value
		}
		keyAt.path = path
		if line, ok := seen[k.Value]; ok {
			r.faults.add(keyAt, "the key stands twice, first in line %d", line)
			continue
		}
		seen[k.Value] = k.Line
		items = append(items, item{key: k.Value, at: r.spot(v, path), keyAt: keyAt, node: v})
	}
	return items
}

// object reads a mapping of known keys.
func (r *reader) object(n *yaml.Node, at spot, known ...string) *object {
	o := &object{r: r, at: at}
	for _, e := range r.entries(n, at) {
		if slices.Contains(known, e.key) {
			o.items = append(o.items, e)
			continue
		}
		if strings.ContainsAny(e.key, "()<>=+*/?\"' ") {
			r.faults.add(e.keyAt, "this is no key: between braces an expression with a comma needs quotes")
			continue
		}
		r.faults.add(e.keyAt, "unknown key%s", hint(e.key, known))
	}
	return o
}

// find returns the value of a key, or nil.
func (o *object) find(key string) *item {
	for i := range o.items {
		if o.items[i].key == key {
			return &o.items[i]
		}
	}
	return nil
}

// list reads a sequence.
func (r *reader) list(e *item) []item {
	if e.node.Kind != yaml.SequenceNode {
		r.wrong(e.node, e.at, "a list")
		return nil
	}
	items := make([]item, len(e.node.Content))
	for i, n := range e.node.Content {
		at := r.spot(n, fmt.Sprintf("%s[%d]", e.at.path, i))
		items[i] = item{at: at, keyAt: at, node: n}
	}
	return items
}

// wrong reports a value of the wrong form.
func (r *reader) wrong(n *yaml.Node, at spot, want string) {
	found := map[yaml.Kind]string{yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.AliasNode: "an alias"}[n.Kind]
	switch {
	case n.Kind == yaml.AliasNode:
		r.faults.add(at, "want %s; aliases are not accepted", want)
	case found != "":
		r.faults.add(at, "want %s, not %s", want, found)
	case n.Value == "":
		r.faults.add(at, "want %s, but there is nothing", want)
	default:
		r.faults.add(at, "want %s, not %q", want, n.Value)
	}
}

// scalar reads a single value as text; want is how a fault names it.
func (r *reader) scalar(e *item, want string) (string, bool) {
	if e.node.Kind != yaml.ScalarNode || e.node.Tag == "!!null" {
		r.wrong(e.node, e.at, want)
		return "", false
	}
	return e.node.Value, true
}

// text reads an optional text.
func (o *object) text(key string) string {
	e := o.find(key)
	if e == nil {
		return ""
	}
	s, _ := o.r.scalar(e, "text")
	return s
}

// expression reads an optional expression.
func (o *object) expression(key string) *expression {
	e := o.find(key)
	if e == nil {
		return nil
	}
	return o.r.expression(e)
}

func (r *reader) expression(e *item) *expression {
	s, ok := r.scalar(e, "an expression")
	if !ok {
		return nil
	}
	return &expression{text: s, at: e.at, node: r.locate(e.node)}
}

// flag reads an optional true or false.
func (o *object) flag(key string, otherwise bool) bool {
	e := o.find(key)
	if e == nil {
		return otherwise
	}
	if e.node.Tag != "!!bool" {
		o.r.wrong(e.node, e.at, "true or false")
		return otherwise
	}
	return e.node.Value == "true" || e.node.Value == "True" || e.node.Value == "TRUE"
}

// whole reads an optional whole number of at least low.
func (o *object) whole(key string, low, otherwise int) int {
	e := o.find(key)
	if e == nil {
		return otherwise
	}
	want := fmt.Sprintf("a whole number of at least %d", low)
	s, ok := o.r.scalar(e, want)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
	if err != nil || n < low || n > 1<<40 {
		o.r.wrong(e.node, e.at, want)
		return otherwise
	}
	return n
}
