package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/simulator/truth"
)

// sameToTheLastBit waits until both servers have read and published the same, and compares all that can be seen of them from
// outside: counters, digests, windows and alerts by REST, and topics as a read-committed consumer sees them.
func sameToTheLastBit(t *testing.T, want, got *site) {
	t.Helper()
	all := int64(0)
	var a, b pipelineView
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the undisturbed server was seen as %+v, the other one as %+v", a, b)
		}
	})
	got.server.await("both have read and published everything", func() bool {
		a, b = want.server.pipeline(), got.server.pipeline()
		all = a.Counters["consumed"]
		return all > 0 && all == records(t, got.broker, "events") && a.WatermarkMs == b.WatermarkMs &&
			b.Counters["consumed"] == all && a.published() && b.published()
	})
	a, b = want.server.pipeline(), got.server.pipeline()
	if !maps.Equal(a.Counters, b.Counters) {
		t.Errorf("counters %v, want %v", b.Counters, a.Counters)
	}
	if a, b := digestOf(t, want.server), digestOf(t, got.server); a != b {
		t.Errorf("digest\n%s\nwant\n%s", b, a)
	}
	compared := 0
	for _, view := range []struct {
		what string
		of   func(*site) map[string]string
	}{
		{"windows", (*site).windowsByID}, {"alerts", (*site).alertsByID},
		{"last words on metrics", (*site).lastMetrics}, {"last words on alerts", (*site).lastAlerts}, {"dead letters", (*site).deadLettersOfTopic},
	} {
		x, y := view.of(want), view.of(got)
		compared += len(x)
		differences(t, view.what, x, y)
	}
	if compared < 1000 {
		t.Errorf("only %d things were compared", compared)
	}
	onceOnTopics(t, want)
	onceOnTopics(t, got)
	t.Logf("%d records, %d things are equal, digest %s", all, compared, digestOf(t, got.server))
}

// differences names the first few.
func differences(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			lines = append(lines, fmt.Sprintf("%s: %q, want %s", key, got[key], want[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			lines = append(lines, fmt.Sprintf("%s: %s should not be there", key, got[key]))
		}
	}
	if len(lines) > 0 {
		t.Errorf("%s: %d of %d differ:\n%s", what, len(lines), len(want), strings.Join(first(lines, 5), "\n"))
	}
}

// digestOf is what the server says that its state comes to, as text.
func digestOf(t *testing.T, p *process) string {
	t.Helper()
	var body struct {
		Definitions []struct {
			Name, Hash, Digest string
			Windows            int64
		}
		Digest string
	}
	if err := p.fetch("/api/v1/digest", &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Definitions) < 11 || len(body.Digest) != 32 || strings.Trim(body.Digest, "0") == "" {
		t.Fatalf("no digest: %+v", body)
	}
	return text(body)
}

// text is a value as JSON, whose maps are in order.
func text(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return string(out)
}

func rowText(r truth.Row) (key, value string) {
	return text([]any{r.Metric, r.Start, r.End, r.Group}), text([]any{r.Value, r.Aggregates, r.Count})
}

func alertText(a *truth.Alert) (key, value string) {
	return text([]any{a.Rule, a.StartedAt}), text([]any{a.EndedAt, a.Window.Start, a.Window.End, a.Window.Final.Value})
}

func (s *site) windowsByID() map[string]string {
	out := map[string]string{}
	for _, r := range s.windowsOfREST() {
		key, value := rowText(r)
		out[key] = value
	}
	return out
}

func (s *site) alertsByID() map[string]string { return alertsByID(s.alertsOfREST()) }
func (s *site) lastAlerts() map[string]string { return alertsByID(s.alertsOfTopic()) }

func alertsByID(list []truth.Alert) map[string]string {
	out := map[string]string{}
	for i := range list {
		key, value := alertText(&list[i])
		out[key] = value
	}
	return out
}

func (s *site) lastMetrics() map[string]string {
	out := map[string]string{}
	_, lasts := s.metricsOfTopic()
	for _, r := range lasts {
		key, value := rowText(r)
		out[key] = value
	}
	return out
}

func (s *site) deadLettersOfTopic() map[string]string {
	out := map[string]string{}
	for _, r := range s.consume("dead-letters" + s.suffix) {
		at := header(r, "tidemark-topic") + "/" + header(r, "tidemark-partition") + "/" + header(r, "tidemark-offset")
		out[at] = header(r, "tidemark-reason") + " " + strconv.Quote(string(r.Key)) + strconv.Quote(string(r.Value))
	}
	return out
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// onceOnTopics holds the topics to the feed: a read-committed consumer sees each entry once, in order per output partition, and
// nothing else.
func onceOnTopics(t *testing.T, s *site) {
	t.Helper()
	entries := s.feed()
	var records []*kgo.Record
	for _, topic := range []string{"metrics", "alerts", "dead-letters"} {
		records = append(records, s.consume(topic+s.suffix)...)
	}
	if faults := onceEach(entries, records); len(faults) > 0 {
		t.Errorf("topics%s: %d faults in %d entries:\n%s", s.suffix, len(faults), len(entries), strings.Join(first(faults, 10), "\n"))
	}
}

// onceEach says what is wrong about records that are to be the entries whose types are given by sequence.
func onceEach(entries map[uint64]string, records []*kgo.Record) (faults []string) {
	type place struct {
		topic     string
		partition int32
	}
	last, epochs, missing := map[place]uint64{}, map[string]int{}, maps.Clone(entries)
	for _, r := range records {
		seq, err := strconv.ParseUint(header(r, "tidemark-seq"), 10, 64)
		at := place{r.Topic, r.Partition}
		epochs[header(r, "tidemark-epoch")]++
		switch {
		case err != nil:
			faults = append(faults, fmt.Sprintf("%v/%d: %v", at, r.Offset, err))
		case entries[seq] == "":
			faults = append(faults, fmt.Sprintf("%v/%d: entry %d is not in the feed", at, r.Offset, seq))
		case missing[seq] == "":
			faults = append(faults, fmt.Sprintf("%v/%d: entry %d is there already", at, r.Offset, seq))
		case seq <= last[at]:
			faults = append(faults, fmt.Sprintf("%v/%d: entry %d after %d", at, r.Offset, seq, last[at]))
		}
		last[at] = max(last[at], seq)
		delete(missing, seq)
	}
	for _, seq := range slices.Sorted(maps.Keys(missing)) {
		faults = append(faults, fmt.Sprintf("entry %d, %s, is missing", seq, missing[seq]))
	}
	if len(epochs) != 1 {
		faults = append(faults, fmt.Sprintf("epochs: %v", epochs))
	}
	return faults
}

// feed is what must be in the topics: types by sequence.
func (s *site) feed() map[uint64]string {
	s.t.Helper()
	out := map[uint64]string{}
	for after := uint64(0); ; {
		var page struct {
			Entries []struct {
				Seq  uint64
				Type string
			}
		}
		s.fetch(fmt.Sprintf("/api/v1/feed?limit=1000&after=%d&types=%s", after, url.QueryEscape("result,alert,dead_letter")), &page)
		if len(page.Entries) == 0 {
			return out
		}
		for _, e := range page.Entries {
			out[e.Seq], after = e.Type, e.Seq
		}
	}
}
