package definition

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/schemas"
)

const referencePage = "../../docs/reference/definitions.md"

// TestEveryFaultIsDocumented holds the tables of the reference to the faults of testdata, both ways: each message there
// is one of the page's, and each of the page's is there.
func TestEveryFaultIsDocumented(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## What can be wrong\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(section, -1) {
		documented = append(documented, strings.TrimSpace(strings.Trim(row[1], "`")))
	}
	faults, err := os.ReadFile("testdata/faults")
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{strings.Repeat("#\n", maxFile), "version: 1\nlet: {a: '" + strings.Repeat(" ", maxExpression) + "userId'}"} {
		_, err := Load("d.yaml", []byte(content), schemas.Events) // too long to stand there
		faults = append(faults, err.Error()+"\n"...)
	}
	used := make([]bool, len(documented))
	for _, line := range regexp.MustCompile(`(?m)^(?:d|defaults)\.yaml:\d+:\d+: (.*)$`).FindAllStringSubmatch(string(faults), -1) {
		// Before the message there may be a path: `metrics.a.window: `.
		_, message, hasPath := strings.Cut(line[1], ": ")
		if strings.HasPrefix(line[1], "alerts.") {
			continue // has a section of its own
		}
		known := false
		for i, text := range documented {
			pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(text), "…", ".*") + "(, did you mean .*|; there are .*)?$"
			if match := regexp.MustCompile(pattern).MatchString; match(line[1]) || hasPath && match(message) {
				known, used[i] = true, true
			}
		}
		if !known {
			t.Errorf("the page does not tell of: %s", line[1])
		}
	}
	for i, text := range documented {
		if !used[i] {
			t.Errorf("no fault of testdata is: %s", text)
		}
	}
}

// TestEveryKeyIsDocumented holds the reference to the keys that the reader knows, as they are written back.
func TestEveryKeyIsDocumented(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	// An unknown key makes the reader list all that it knows.
	content := "version: 1\nxyzzy_a: 1\nsource: {xyzzy_b: 1}\nsessions: [{name: s, key: sessionId, xyzzy_c: 1}]\n" +
		"metrics: [{name: m, xyzzy_d: 1, window: {size: 1s, xyzzy_e: 1}, group_by: [userId], aggregates: {n: {count: true, xyzzy_f: 1}}}]\n"
	_, err = Load("d.yaml", []byte(content), schemas.Events)
	lists := regexp.MustCompile(`unknown key; there are (.*)`).FindAllStringSubmatch(err.Error(), -1)
	if len(lists) != 6 {
		t.Fatalf("%d lists of keys, want 6:\n%v", len(lists), err)
	}
	for _, list := range lists {
		for _, key := range strings.Split(list[1], ", ") {
			if !regexp.MustCompile("(?m)^\\| .*`" + key + "`.* \\|").MatchString(string(page)) {
				t.Errorf("no table tells of the key %s", key)
			}
		}
	}
	for _, function := range slices.Concat(keysOf(fieldFunctions), keysOf(formulaFunctions)) {
		if !strings.Contains(string(page), "`"+function+"`") {
			t.Errorf("the page does not tell of the function %s", function)
		}
	}
}

func keysOf(functions map[string]function) []string {
	var names []string
	for name := range functions {
		names = append(names, name)
	}
	return names
}
