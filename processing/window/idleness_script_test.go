package window

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark/tidemark/processing/event"
)

// TestIdleness runs the scripts, with an idle timeout of 30 s and quiet after 60 s more:
//
//	topic fresh 0 1            partitions of a topic that has never had a record
//	topic resumed 0 1          or that has been read before
//	run                        goes through lines, each at its own time, and shows what they make of the partitions:
//	  10s add 2=end            a partition is new; is there nothing to be read of it?
//	  11s restart 2=behind     an operator's decision moved it
//	  12s look 0=end 1=behind  a look at the cluster, sent then: is everything up to the end of the log read?
//	  15s read 0               records of it are read
//	  60s state                how things stand
func TestIdleness(t *testing.T) {
	datadriven.Walk(t, "testdata/idleness", func(t *testing.T, path string) {
		var s idlenessScript
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			var out strings.Builder
			switch c.Cmd {
			case "topic":
				asleep := c.CmdArgs[0].Key == "fresh"
				s = idlenessScript{idleness: NewIdleness(30*time.Second, 60*time.Second, asleep, scriptStart)}
				for _, arg := range c.CmdArgs[1:] {
					s.add(mustPartition(t, arg.Key), true)
				}
				out.WriteString(s.state(scriptStart))
			case "run":
				for _, line := range strings.Split(strings.TrimSpace(c.Input), "\n") {
					fmt.Fprintf(&out, "%s: %s", line, s.line(t, strings.Fields(line)))
				}
			default:
				c.Fatalf(t, "unknown command %s", c.Cmd)
			}
			return out.String()
		})
	})
}

var scriptStart = time.Unix(1000, 0)

type idlenessScript struct {
	idleness   *Idleness
	partitions []event.PartitionID
}

func (s *idlenessScript) add(p event.PartitionID, atEnd bool) {
	s.idleness.Add(p, atEnd)
	s.partitions = append(s.partitions, p)
	slices.Sort(s.partitions)
}

func mustPartition(t *testing.T, text string) event.PartitionID {
	return event.PartitionID(mustOffset(t, text))
}

func (s *idlenessScript) line(t *testing.T, words []string) string {
	now := scriptStart.Add(mustSpan(t, words[0]))
	for _, word := range words[2:] {
		name, found, _ := strings.Cut(word, "=")
		p := mustPartition(t, name)
		switch words[1] {
		case "add":
			s.add(p, found == "end")
		case "restart":
			s.idleness.Restart(p, found == "end")
		case "look":
			s.idleness.Looked(p, now, found == "end")
		case "read":
			s.idleness.Read(p, now)
		default:
			t.Fatalf("what is %q?", words[1])
		}
	}
	return s.state(now)
}

func (s *idlenessScript) state(now time.Time) string {
	var parts []string
	for _, p := range s.partitions {
		word := "active"
		if s.idleness.Idle(p) {
			word = "idle"
		}
		if s.idleness.Spoke(p) {
			word += " (spoke)"
		}
		parts = append(parts, fmt.Sprintf("%d %s", p, word))
	}
	if since, ok := s.idleness.Quiet(now); ok {
		parts = append(parts, "quiet, last record "+since.String()+" ago")
	}
	return strings.Join(parts, ", ") + "\n"
}
