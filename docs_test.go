package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestEveryFlagIsDocumented holds docs/reference/commands.md to the command line, both ways: each command has a section
// with a table of its flags and their environment variables.
func TestEveryFlagIsDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/reference/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]string)
	for _, s := range strings.Split(string(page), "\n## ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[title] = body
	}
	parser, err := kong.New(&commands{}, kong.DefaultEnvars("TIDEMARK"), kong.Vars{"log_level": "info"})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		section, ok := sections["tidemark "+command.Name]
		if !ok {
			t.Errorf("there is no section `## tidemark %s`", command.Name)
			continue
		}
		known := make(map[string]bool)
		for _, f := range command.Flags {
			known[f.Name] = true
			if !strings.Contains(section, "\n| `--"+f.Name+"`") {
				t.Errorf("the section of %s has no row for --%s", command.Name, f.Name)
			}
			if f.HasDefault && f.Default != "" && !strings.Contains(section, "`"+f.Default+"`") {
				t.Errorf("the section of %s does not tell the default of --%s, %s", command.Name, f.Name, f.Default)
			}
		}
		for _, m := range regexp.MustCompile("\n\\| `--([a-z-]+)`").FindAllStringSubmatch(section, -1) {
			if !known[m[1]] {
				t.Errorf("the section of %s tells of --%s, which it does not have", command.Name, m[1])
			}
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#: ]+)(#[^)]*)?\)`)

// TestLinksLeadSomewhere follows the links between the project's own pages.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir("docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// TestTestsOfRecoveryExist holds docs/reference/recovery.md to the tree: every test that it names is there.
func TestTestsOfRecoveryExist(t *testing.T) {
	page, err := os.ReadFile("docs/reference/recovery.md")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(source, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !there[m[1]] {
			t.Errorf("there is no %s", m[1])
		}
	}
	// A row without a test is a promise that nothing holds.
	for line := range strings.Lines(string(page)) {
		if strings.Count(line, "|") == 5 && !strings.HasPrefix(line, "|---") && !strings.HasPrefix(line, "| fault |") && !strings.Contains(line, "`Test") {
			t.Errorf("no test is named in %s", line)
		}
	}
}
