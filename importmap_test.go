package main

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tidemark/tidemark"

// TestImportMapIsTrue holds the two pictures of section 10 of ARCHITECTURE.md to the code. The order of the staircase's lines is
// the page's: it says which package is above which. What stands in the lines, and the arrows, is drawn from the code; UPDATE_MAP=1
// draws it again, once a new import is wanted.
func TestImportMapIsTrue(t *testing.T) {
	content, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	steps, arrows := fenced(t, page, "```imports\n"), fenced(t, page, "```mermaid\n")
	m, update := readImportMap(t, steps), os.Getenv("UPDATE_MAP") != ""
	for _, p := range m.order {
		shown := m.shown(steps, p)
		for _, q := range m.order {
			switch is := m.imports[p][q]; {
			case is && m.above(q, p):
				t.Errorf("%s imports %s, which stands above it: imports run downwards only", p, q)
			case is && !shown[q] && !update:
				t.Errorf("%s imports %s, which the picture does not show", p, q)
			case !is && shown[q] && !update:
				t.Errorf("the picture shows that %s imports %s, and it does not", p, q)
			}
		}
	}
	drawn := strings.Replace(strings.Replace(page, steps, m.steps(steps), 1), arrows, m.arrows(), 1)
	if t.Failed() || drawn == page {
		return
	}
	if !update {
		t.Fatal("the pictures are not as they would be drawn: UPDATE_MAP=1 go test . -run ImportMap")
	}
	if err := os.WriteFile("ARCHITECTURE.md", []byte(drawn), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fenced is the text of the page's block of a kind.
func fenced(t *testing.T, page, begin string) string {
	t.Helper()
	_, after, found := strings.Cut(page, begin)
	text, _, closed := strings.Cut(after, "```")
	if !found || !closed || strings.Contains(after, begin) {
		t.Fatalf("ARCHITECTURE.md needs one block that begins with %q", begin)
	}
	return text
}

// importMap is who imports whom, among the packages that the program is made of.
type importMap struct {
	order   []string // from the top
	imports map[string]map[string]bool
}

// outside are what no package of the program may import: tests of it, and tools.
func outside(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return slices.Contains([]string{"bench", "e2e", "scripts"}, first)
}

func readImportMap(t *testing.T, steps string) *importMap {
	t.Helper()
	m := &importMap{imports: make(map[string]map[string]bool)}
	for line := range strings.Lines(steps) {
		if words := strings.Fields(line); len(words) > 0 {
			m.order = append(m.order, words[0])
		}
	}
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	short := func(p string) string { return strings.TrimPrefix(strings.TrimPrefix(p, module), "/") }
	for line := range strings.Lines(string(list)) {
		words := strings.Fields(line)
		p := short(words[0])
		if outside(p) {
			continue
		}
		if p == "" {
			p = "tidemark"
		}
		m.imports[p] = make(map[string]bool)
		for _, q := range words[1:] {
			if !strings.HasPrefix(q, module+"/") {
				continue
			}
			if m.imports[p][short(q)] = true; outside(short(q)) {
				t.Errorf("%s imports %s, which is for tests", p, short(q))
			}
		}
		if !slices.Contains(m.order, p) {
			t.Errorf("%s is not in the picture: give it a line below everything that imports it, and above everything that it imports", p)
		}
	}
	for _, p := range m.order {
		if m.imports[p] == nil {
			t.Errorf("the picture shows %s, which is not there", p)
		}
	}
	return m
}

func (m *importMap) above(p, q string) bool {
	return slices.Index(m.order, p) < slices.Index(m.order, q)
}

// shown is what the staircase says that a package imports: its column, from its own line down.
func (m *importMap) shown(steps, p string) map[string]bool {
	shown, column := make(map[string]bool), slices.Index(m.order, p)
	for line := range strings.Lines(steps) {
		if words := strings.Fields(line); len(words) > column+1 && words[column+1] == "●" {
			shown[words[0]] = true
		}
	}
	return shown
}

// steps draws the staircase. Empty lines stay where they are.
func (m *importMap) steps(old string) string {
	var b strings.Builder
	width := len(slices.MaxFunc(m.order, func(a, b string) int { return len(a) - len(b) }))
	for line := range strings.Lines(old) {
		words := strings.Fields(line)
		if len(words) > 0 {
			p := words[0]
			b.WriteString(p + strings.Repeat(" ", width-len(p)))
			for _, q := range m.order[:slices.Index(m.order, p)] {
				b.WriteString(map[bool]string{true: " ●", false: " ·"}[m.imports[q][p]])
			}
			b.WriteString(" ◣")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// arrows draws what imports what, without what can be reached on longer ways. Packages for tests stand aside.
func (m *importMap) arrows() string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	for _, p := range m.order {
		if id := path.Base(p); id != p {
			b.WriteString("  " + id + "[" + p + "]\n")
		}
	}
	for _, p := range m.order {
		var next []string
		for _, q := range m.order {
			if m.imports[p][q] && !slices.ContainsFunc(m.order, func(r string) bool { return m.imports[p][r] && m.reaches(r, q) }) {
				next = append(next, path.Base(q))
			}
		}
		if len(next) > 0 {
			b.WriteString("  " + path.Base(p) + " --> " + strings.Join(next, " & ") + "\n")
		}
	}
	return b.String()
}

// reaches reports whether p imports q, itself or through others. Imports have no circles.
func (m *importMap) reaches(p, q string) bool {
	for r := range m.imports[p] {
		if r == q || m.reaches(r, q) {
			return true
		}
	}
	return false
}
