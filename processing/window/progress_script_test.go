package window

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// TestProgress runs the scripts:
//
//	progress out_of_orderness=5s max=20s floors=(10:40s,12:50s)   a partition, M_p where it starts, and its journal
//	run                                                           goes through lines:
//	  record 7 t=10s kafka=12s    reaches an offset, shows by which watermark the record is judged, then takes it
//	  reach 9                     the reading starts behind an offset
//	  raise 30s                   W had passed the partition
//	judge width=10s lateness=20s w=(9.998s,9.999s)                the verdicts on the pane [0s,10s)
func TestProgress(t *testing.T) {
	datadriven.Walk(t, "testdata/progress", func(t *testing.T, path string) {
		var p Progress
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			var out strings.Builder
			switch c.Cmd {
			case "progress":
				p = scriptProgress(t, c)
				fmt.Fprintf(&out, "W_p=%s\n", seconds(p.Watermark()))
			case "run":
				for _, line := range strings.Split(strings.TrimSpace(c.Input), "\n") {
					progressLine(t, &p, &out, strings.Fields(line))
				}
			case "judge":
				judge(t, c, &out)
			default:
				c.Fatalf(t, "unknown command %s", c.Cmd)
			}
			return out.String()
		})
	})
}

func scriptProgress(t *testing.T, c *datadriven.TestData) Progress {
	outOfOrderness, most := "5s", "never"
	c.MaybeScanArgs(t, "out_of_orderness", &outOfOrderness)
	c.MaybeScanArgs(t, "max", &most)
	var floors []Floor
	if arg, ok := c.Arg("floors"); ok {
		for _, text := range arg.Vals {
			offset, floor, _ := strings.Cut(text, ":")
			floors = append(floors, Floor{mustOffset(t, offset), mustMillis(t, floor)})
		}
	}
	return NewProgress(mustMillis(t, outOfOrderness), mustMillis(t, most), floors)
}

func mustOffset(t *testing.T, text string) event.Offset {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return event.Offset(n)
}

func progressLine(t *testing.T, p *Progress, out *strings.Builder, words []string) {
	switch words[0] {
	case "record":
		at, kafka := event.NoTime, event.Millis(-1)
		for _, word := range words[2:] {
			switch name, value, _ := strings.Cut(word, "="); name {
			case "t":
				at = mustMillis(t, value)
			case "kafka":
				kafka = mustMillis(t, value)
			default:
				t.Fatalf("what is %q?", word)
			}
		}
		p.Reach(mustOffset(t, words[1]))
		fmt.Fprintf(out, "record %s judged by %s", words[1], seconds(p.Watermark()))
		p.Observe(at, kafka)
		fmt.Fprintf(out, ", then M_p=%s W_p=%s\n", seconds(p.Max()), seconds(p.Watermark()))
	case "reach":
		p.Reach(mustOffset(t, words[1]))
		fmt.Fprintf(out, "W_p=%s\n", seconds(p.Watermark()))
	case "raise":
		p.Raise(mustMillis(t, words[1]))
		fmt.Fprintf(out, "W_p=%s\n", seconds(p.Watermark()))
	default:
		t.Fatalf("what is %q?", words[0])
	}
}

func judge(t *testing.T, c *datadriven.TestData, out *strings.Builder) {
	var width, lateness string
	c.ScanArgs(t, "width", &width)
	c.ScanArgs(t, "lateness", &lateness)
	arg, _ := c.Arg("w")
	clock := &definition.Clock{Width: mustMillis(t, width), Lateness: mustMillis(t, lateness)}
	for _, w := range arg.Vals {
		verdict := map[Verdict]string{OnTime: "on time", LateAllowed: "late but allowed", TooLate: "late"}[Judge(clock, 0, mustMillis(t, w))]
		fmt.Fprintf(out, "%s: %s\n", w, verdict)
	}
}
