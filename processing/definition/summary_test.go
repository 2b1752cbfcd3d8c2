package definition

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The guide's funnel is one.
func TestTheGuidesFunnel(t *testing.T) {
	page, err := os.ReadFile("../../docs/guide/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n### A funnel\n")
	_, example, _ := strings.Cut(section, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	plan := load(t, example)
	for i := range plan.Metrics {
		if m := &plan.Metrics[i]; m.Name == "checkout" {
			if got := plan.Funnel(m); !slices.Equal(got, []string{"cart", "checkout", "visits"}) {
				t.Errorf("its steps are %v", got)
			}
			return
		}
	}
	t.Error("the page has no metric checkout")
}
