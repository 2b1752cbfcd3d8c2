package definition

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/schemas"
)

// TestAlertRulesAreDocumented holds the page on definitions to what is read: its example, the keys, formats and rules.
func TestAlertRulesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Alert rules\n")
	section, rest, _ := strings.Cut(section, "\n## ")
	for _, key := range alertKeys {
		if !strings.Contains(section, "`"+key+"`") {
			t.Errorf("the key %s is missing", key)
		}
	}
	for _, key := range slices.Collect(maps.Keys(laterInAlert)) {
		if !strings.Contains(section, "`"+key+"`") {
			t.Errorf("the key %s of a later version is missing", key)
		}
	}
	for _, word := range slices.Concat(severities, formatNames, []string{"`" + customPattern + "`", valueName, countName, samplePrevious, sizeName, windowName, groupPrefix}) {
		if !strings.Contains(section, word) {
			t.Errorf("%s is missing", word)
		}
	}
	_, example, _ := strings.Cut(section, "\n```yaml\n")
	example, _, _ = strings.Cut(example, "\n```\n")
	if plan := load(t, example); len(plan.Rules) != 4 {
		t.Errorf("the example has %d rules with the built-in ones", len(plan.Rules))
	}
	plan, err := Load("", nil, schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan.Rules {
		r := &plan.Rules[i]
		row := "| `" + r.Name + "` | " + r.Type + " | " + r.Severity + " | `" + plan.Metrics[r.Metric].Name + "` | `" + r.When + "` |"
		if !strings.Contains(rest, row) {
			t.Errorf("there is no row %s", row)
		}
	}
}
