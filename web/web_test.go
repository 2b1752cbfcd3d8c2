package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

type vendoredModule struct {
	Name, Version, Licence, LicenceFile string
	Files                               []struct{ Path, SHA256 string }
}

func vendoredModules(t *testing.T) []vendoredModule {
	t.Helper()
	content, err := fs.ReadFile(Files(), "vendor/vendor.json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Modules []vendoredModule }
	if err := json.Unmarshal(content, &list); err != nil {
		t.Fatal(err)
	}
	return list.Modules
}

// What is vendored is what was checked when it was fetched, all of it, and nothing besides.
func TestVendoredFilesHaveTheirHashes(t *testing.T) {
	listed := map[string]bool{"vendor.json": true}
	for _, m := range vendoredModules(t) {
		if m.Name == "" || m.Version == "" || m.Licence == "" || m.LicenceFile == "" || len(m.Files) == 0 {
			t.Errorf("%+v lacks something", m)
		}
		for _, f := range m.Files {
			listed[f.Path] = true
			content, err := fs.ReadFile(Files(), "vendor/"+f.Path)
			if err != nil {
				t.Errorf("%s: %v", m.Name, err)
				continue
			}
			if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != f.SHA256 {
				t.Errorf("vendor/%s of %s %s has changed: run scripts/vendor.mjs", f.Path, m.Name, m.Version)
			}
		}
	}
	entries, err := fs.ReadDir(Files(), "vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !listed[e.Name()] {
			t.Errorf("vendor/%s is not in vendor.json", e.Name())
		}
	}
}

// Names of XML namespaces, and of where a library comes from in its first comment, are no references.
var (
	address  = regexp.MustCompile(`(?:https?:|wss?:)?//[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]{2,}[^\s"'` + "`" + `)]*`)
	harmless = regexp.MustCompile(`^http://www\.w3\.org/(2000/svg|1998/Math/MathML|1999/xhtml|1999/xlink)|^https://github\.com/leeoniya/uPlot`)
)

func TestNothingRefersToAnotherHost(t *testing.T) {
	walkText(t, func(name, text string) {
		for _, found := range address.FindAllString(text, -1) {
			if !harmless.MatchString(found) {
				t.Errorf("%s refers to %s", name, found)
			}
		}
		if strings.Contains(text, "sourceMappingURL") {
			t.Errorf("%s points to a source map", name)
		}
	})
}

var (
	importFrom = regexp.MustCompile(`(?:\bfrom|\bimport)\s*\(?["']([^"']+)["']`)
	pageRefers = regexp.MustCompile(`(?:href|src)="(/[^"]*)"`)
	inlineCode = regexp.MustCompile(`<script>|<style|\sstyle="|\son[a-z]+="`)
)

// Browsers resolve no bare imports, and the content security policy forbids what stands inline.
func TestModulesAndPageFindWhatTheyName(t *testing.T) {
	exists := func(name string) bool {
		_, err := fs.Stat(Files(), name)
		return err == nil
	}
	walkText(t, func(name, text string) {
		if path.Ext(name) == ".mjs" {
			for _, m := range importFrom.FindAllStringSubmatch(text, -1) {
				if !strings.HasPrefix(m[1], ".") || !exists(path.Join(path.Dir(name), m[1])) {
					t.Errorf("%s imports %q, which is not there", name, m[1])
				}
			}
		}
		if path.Ext(name) != ".html" {
			return
		}
		if found := inlineCode.FindString(text); found != "" {
			t.Errorf("%s has %q inline", name, found)
		}
		for _, m := range pageRefers.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "/api/") && !exists(strings.TrimPrefix(m[1], "/")) {
				t.Errorf("%s names %s, which is not there", name, m[1])
			}
		}
	})
}

// Every module is loaded at once instead of one import after the other.
func TestPagePreloadsEveryModule(t *testing.T) {
	page, err := fs.ReadFile(Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	walkText(t, func(name, _ string) {
		if path.Ext(name) == ".mjs" && !strings.Contains(string(page), `"/`+name+`"`) {
			t.Errorf("index.html does not preload /%s", name)
		}
	})
}

// What browsers get is all that is written: every sheet, and every module, but for comments and indentation.
func TestBrowsersGetEverySheetAndEveryModule(t *testing.T) {
	written, err := fs.Sub(static, "static")
	if err != nil {
		t.Fatal(err)
	}
	style, err := fs.ReadFile(Files(), "style.css")
	if err != nil {
		t.Fatal(err)
	}
	modules := 0
	walkText(t, func(name, got string) {
		content, err := fs.ReadFile(written, name)
		if err != nil {
			t.Error(err)
		}
		switch path.Ext(name) {
		case ".css":
			if !strings.Contains(string(style), leanSheet(string(content))) {
				t.Errorf("style.css lacks %s: name it in sheets", name)
			}
		case ".mjs":
			modules++
			var code []string
			for line := range strings.Lines(string(content)) {
				switch trimmed := strings.TrimLeft(line, " \t\n"); {
				case strings.HasPrefix(name, "vendor/"):
					code = append(code, line)
				case !strings.HasPrefix(trimmed, "//"):
					code = append(code, trimmed)
				}
			}
			if got != strings.Join(code, "") {
				t.Errorf("%s is not what is written, without its comments and indentation", name)
			}
			if !strings.HasPrefix(name, "vendor/") && strings.Count(got, "`")%2 != 0 {
				t.Errorf("%s has lost the end of a template", name)
			}
		}
	})
	if modules < 40 {
		t.Fatalf("saw %d modules only", modules)
	}
}

// leanSheet leaves out comments and indentation.
func leanSheet(text string) string {
	for {
		before, rest, found := strings.Cut(text, "/*")
		if !found {
			break
		}
		_, after, _ := strings.Cut(rest, "*/")
		text = before + after
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimLeft(line, " \t\n"))
	}
	return strings.Join(lines, "")
}

func walkText(t *testing.T, visit func(name, text string)) {
	t.Helper()
	visited := 0
	err := fs.WalkDir(Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) == ".woff2" {
			return err
		}
		content, err := fs.ReadFile(Files(), name)
		visited++
		visit(name, string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if visited < 20 {
		t.Fatalf("visited %d files only", visited)
	}
}
