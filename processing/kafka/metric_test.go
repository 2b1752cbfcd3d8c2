package kafka

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/avro"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

var (
	viewsHash = definition.Hash{1}
	pagesHash = definition.Hash{2}
)

func testPlan() *definition.Plan {
	return &definition.Plan{Metrics: []definition.Metric{
		{Name: "page_views_per_second", Type: "PAGE_VIEWS_PER_SECOND", Unit: "1/s", Hash: viewsHash,
			Aggregates: []definition.Aggregate{{Name: "lost", Kind: aggregate.Avg}, {Name: "views", Kind: aggregate.Count}}},
		{Name: "top_pages", Type: "TOP_PAGES", Unit: "views", Hash: pagesHash, Keys: []string{"url"},
			Aggregates: []definition.Aggregate{{Name: "views", Kind: aggregate.Count}}},
	}}
}

func number64(f float64) definition.Number { return definition.Number{Float: f, Valid: true} }

func viewsResult() *window.Result {
	return &window.Result{
		Metric: "page_views_per_second", Definition: viewsHash, Start: 5000, End: 10000, Kind: window.Final, Revision: 1,
		Value: number64(2.4), Aggregates: []definition.Number{{}, number64(12)}, Count: 12,
	}
}

func pagesResult(url string) *window.Result {
	return &window.Result{
		Metric: "top_pages", Definition: pagesHash, Start: 60_000, End: 120_000, Group: []string{url}, Kind: window.Correction,
		Revision: 3, Value: number64(7), Aggregates: []definition.Number{number64(7)}, Count: 7, Truncated: true,
	}
}

func resultEntry(r *window.Result) processing.Entry {
	return processing.Entry{Type: processing.ResultEntry, Result: r}
}

// decoded is a ProcessedMetric as a consumer sees it.
func decoded(t *testing.T, value []byte) map[string]any {
	t.Helper()
	return decodedAs(t, schemas.Metrics, value)
}

func decodedAs(t *testing.T, schema string, value []byte) map[string]any {
	t.Helper()
	var m map[string]any
	rest, err := avro.MustParse(schema).Decode(value, &m)
	must(t, err)
	if len(rest) > 0 {
		t.Errorf("%d bytes follow the value", len(rest))
	}
	return m
}

func TestProcessedMetric(t *testing.T) {
	retract := pagesResult("/a")
	retract.Kind = window.Retract
	old := pagesResult("/a")
	old.Definition = definition.Hash{9}
	ms := func(n int64) time.Time { return time.UnixMilli(n).UTC() }
	pages := map[string]any{
		"timestamp": ms(120_000), "windowStart": ms(60_000), "windowEnd": ms(120_000), "metricType": "TOP_PAGES", "value": 7.0,
		"count": int64(7), "dimensions": map[string]any{"url": "/a"}, "tags": []any{"truncated"}, "source": "tidemark",
		"metric": "top_pages", "kind": "correction", "revision": int32(3), "unit": "views", "aggregates": map[string]any{"views": 7.0},
	}
	with := func(base map[string]any, changes map[string]any) map[string]any {
		all := map[string]any{}
		for _, m := range []map[string]any{base, changes} {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		result *window.Result
		want   map[string]any
		json   string
	}{
		"ungrouped; a null aggregate is left out": {viewsResult(), map[string]any{
			"timestamp": ms(10000), "windowStart": ms(5000), "windowEnd": ms(10000), "metricType": "PAGE_VIEWS_PER_SECOND", "value": 2.4,
			"count": int64(12), "dimensions": map[string]any{}, "tags": []any{}, "source": "tidemark", "metric": "page_views_per_second",
			"kind": "final", "revision": int32(1), "unit": "1/s", "aggregates": map[string]any{"views": 12.0},
		}, `"value":2.4,"count":12,"dimensions":{},"tags":[]`},
		"grouped": {pagesResult("/a"), pages, `"value":7,"count":7,"dimensions":{"url":"/a"},"tags":["truncated"]`},
		"retracted: nothing but what it was": {retract, with(pages, map[string]any{
			"kind": "retract", "value": math.NaN(), "count": nil, "aggregates": map[string]any{}}), `"value":null,"count":null`},
		"of a definition that is gone": {old, with(pages, map[string]any{
			"metricType": "CUSTOM_METRIC", "unit": "", "aggregates": map[string]any{}, "dimensions": map[string]any{"group_1": "/a"},
			"tags": []any{"truncated", "unknown_definition"}}), `"dimensions":{"group_1":"/a"},"tags":["truncated","unknown_definition"]`},
	} {
		t.Run(name, func(t *testing.T) {
			c.want["metricId"] = c.result.ID()
			binary, err := newMetricEncoder(Avro, testPlan())
			must(t, err)
			value, err := binary.value(c.result)
			must(t, err)
			if diff := cmp.Diff(c.want, decoded(t, value), cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("avro (-want +got):\n%s", diff)
			}
			text, err := newMetricEncoder(JSON, testPlan())
			must(t, err)
			value, err = text.value(c.result)
			must(t, err)
			if !json.Valid(value) || !strings.Contains(string(value), c.json) {
				t.Errorf("json is %s, want it to hold %s", value, c.json)
			}
		})
	}
}
