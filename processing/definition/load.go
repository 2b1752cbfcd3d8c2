package definition

import (
	_ "embed" // for defaults.yaml
	"slices"
)

//go:embed defaults.yaml
var defaultsYAML []byte

const defaultsName = "defaults.yaml"

// Load compiles the definitions of a file, and the defaults that it extends, for events of an Avro record schema. A
// nil content stands for no file: only the defaults. The error is a Faults with everything that is wrong with the
// definitions, or another error when the schema can't be read.
func Load(file string, content []byte, schema string) (*Plan, error) {
	events, err := newEventSchema(schema)
	if err != nil {
		return nil, err
	}
	var f faults
	defaults := readFile(&f, defaultsName, defaultsYAML, nil)
	if len(f.all) > 0 {
		panic("BUG: " + f.err().Error())
	}
	doc := defaults
	if content != nil {
		doc = readFile(&f, file, content, defaults)
		if doc == nil {
			return nil, f.err()
		}
		doc.extend(&f, defaults)
	}
	c := newCompiler(&f, doc, events)
	c.check()
	if err := f.err(); err != nil {
		return nil, err
	}
	plan := c.compile()
	checkBudget(&f, plan, doc)
	if err := f.err(); err != nil {
		return nil, err
	}
	return plan, nil
}

// readFile returns nil when the content is not even YAML. Without a base it reads the defaults.
func readFile(f *faults, name string, content []byte, base *document) *document {
	r := &reader{file: &source{name: name, builtIn: base == nil}, faults: f}
	root := r.parse(content)
	if root == nil {
		return nil
	}
	return r.read(root, base)
}

// extend adds the defaults that the document neither replaces nor disables.
func (d *document) extend(f *faults, defaults *document) {
	var removable []string
	for _, m := range defaults.metrics {
		removable = append(removable, m.name)
	}
	for _, s := range defaults.sessions {
		removable = append(removable, s.name)
	}
	for _, a := range defaults.alerts {
		removable = append(removable, a.name)
	}
	off := map[string]bool{}
	for _, item := range d.disabled {
		off[item.key] = true
		switch {
		case !slices.Contains(removable, item.key):
			f.add(item.at, "no default is called %q%s", item.key, hint(item.key, removable))
		case !d.defaults:
			f.add(item.at, "there is nothing to disable: `defaults: false` drops all defaults")
		}
	}
	if !d.defaults {
		return
	}
	for _, l := range defaults.lets {
		if !slices.ContainsFunc(d.lets, func(own *let) bool { return own.name == l.name }) {
			d.lets = append(d.lets, l)
		}
	}
	for _, s := range defaults.sessions {
		if !off[s.name] && !slices.ContainsFunc(d.sessions, func(own *sessionSpec) bool { return own.name == s.name }) {
			d.sessions = append(d.sessions, s)
		}
	}
	hasKind := func(name string) bool {
		return slices.ContainsFunc(d.sessions, func(s *sessionSpec) bool { return s.name == name })
	}
	for _, m := range defaults.metrics {
		if m.from != "" && !hasKind(m.from) {
			continue // its session kind is disabled: it goes with it
		}
		if !off[m.name] && !slices.ContainsFunc(d.metrics, func(own *metricSpec) bool { return own.name == m.name }) {
			d.metrics = append(d.metrics, m)
		}
	}
	for _, a := range defaults.alerts {
		if !off[a.name] && !slices.ContainsFunc(d.alerts, func(own *alertSpec) bool { return own.name == a.name }) {
			a.builtin = true
			d.alerts = append(d.alerts, a)
		}
	}
}
