package schemas

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	hamba "github.com/hamba/avro/v2"
	"github.com/twmb/avro"
)

// The field lists of the outside contract, in its own notation: `?` is null|, `=` a default other than that null.
const eventFields = `com.analytics.pipeline.events.AnalyticsEvent
eventId string
timestamp long(timestamp-millis)
eventType enum EventType(PAGE_VIEW SESSION_START SESSION_END CONVERSION CUSTOM)
userId ?string
sessionId string
pageViewData ?record PageViewData
  url string
  title string
  referrer ?string
  pageLoadTime ?int
sessionData ?record SessionData
  userAgent string
  ipAddress string
  country ?string
  city ?string
  deviceType enum DeviceType(DESKTOP MOBILE TABLET UNKNOWN or UNKNOWN)
  browser ?string
  os ?string
conversionData ?record ConversionData
  conversionType enum ConversionType(PURCHASE SIGNUP DOWNLOAD CONTACT CUSTOM)
  value ?double
  currency ?string
  productId ?string
  category ?string
customData ?map<string>
metadata record EventMetadata
  source string
  version string = "1.0"
  environment string = "production"
`

const metricFields = `com.analytics.pipeline.metrics.ProcessedMetric
metricId string
timestamp long(timestamp-millis)
windowStart long(timestamp-millis)
windowEnd long(timestamp-millis)
metricType enum MetricType(PAGE_VIEWS_PER_SECOND ACTIVE_USERS BOUNCE_RATE AVERAGE_SESSION_DURATION CONVERSION_RATE REVENUE_PER_USER TOP_PAGES GEOGRAPHIC_DISTRIBUTION DEVICE_BREAKDOWN CUSTOM_METRIC)
value double
count ?long
dimensions map<string>
tags array<string> = []
source string
metric string = ""
kind string = ""
revision int = 0
unit string = ""
aggregates map<double> = {}
`

const alertFields = `com.analytics.pipeline.alerts.CEAlert
alertId string
timestamp long(timestamp-millis)
alertType enum AlertType(HIGH_BOUNCE_RATE CONVERSION_FUNNEL_BREACH TRAFFIC_ANOMALY FRAUD_DETECTED PERFORMANCE_DEGRADATION CUSTOM_PATTERN)
severity enum AlertSeverity(LOW MEDIUM HIGH CRITICAL)
title string
description string
patternMatched string
affectedUsers array<string> = []
metrics map<double>
context map<string>
recommendedAction ?string
source string
definition string = ""
state string = ""
startedAt long = 0
endedAt ?long
evidence array<string> = []
`

// ours are the fields at the end that other producers and consumers don't know.
var ours = map[string]int{"AnalyticsEvent": 0, "ProcessedMetric": 5, "CEAlert": 5}

var contracts = []struct{ name, schema, fields string }{
	{"AnalyticsEvent", Events, eventFields},
	{"ProcessedMetric", Metrics, metricFields},
	{"CEAlert", Alerts, alertFields},
}

func TestFieldsAreThoseOfTheContract(t *testing.T) {
	for _, c := range contracts {
		t.Run(c.name, func(t *testing.T) {
			var tree map[string]any
			if err := json.Unmarshal([]byte(c.schema), &tree); err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s.%s\n%s", tree["namespace"], tree["name"], list(tree, ""))
			if diff := cmp.Diff(c.fields, got); diff != "" {
				t.Errorf("fields (-contract +schema):\n%s", diff)
			}
		})
	}
}

// list writes the fields of a record in the notation of the lists above.
func list(record map[string]any, indent string) string {
	var b strings.Builder
	for _, f := range record["fields"].([]any) {
		field := f.(map[string]any)
		text, nested := describe(field["type"])
		fmt.Fprintf(&b, "%s%s %s", indent, field["name"], text)
		switch d, ok := field["default"]; {
		case ok && d != nil:
			j, _ := json.Marshal(d)
			fmt.Fprintf(&b, " = %s", j)
		case ok != strings.HasPrefix(text, "?"):
			b.WriteString(" (a nullable field has the default null, and no other has it)")
		}
		b.WriteByte('\n')
		if nested != nil {
			b.WriteString(list(nested, indent+"  "))
		}
	}
	return b.String()
}

func describe(typ any) (text string, record map[string]any) {
	switch t := typ.(type) {
	case string:
		return t, nil
	case []any:
		if len(t) == 2 && t[0] == "null" {
			text, record = describe(t[1])
			return "?" + text, record
		}
		return fmt.Sprintf("union%v", t), nil
	}
	t := typ.(map[string]any)
	switch t["type"] {
	case "record":
		return "record " + t["name"].(string), t
	case "enum":
		symbols := strings.Trim(fmt.Sprint(t["symbols"]), "[]")
		if d, ok := t["default"]; ok {
			symbols += " or " + d.(string)
		}
		return fmt.Sprintf("enum %s(%s)", t["name"], symbols), nil
	case "map":
		return fmt.Sprintf("map<%s>", t["values"]), nil
	case "array":
		return fmt.Sprintf("array<%s>", t["items"]), nil
	default:
		return fmt.Sprintf("%s(%s)", t["type"], t["logicalType"]), nil
	}
}

func TestEveryFieldAndTypeIsDocumented(t *testing.T) {
	var walk func(path string, node any)
	walk = func(path string, node any) {
		switch n := node.(type) {
		case []any:
			for _, v := range n {
				walk(path, v)
			}
		case map[string]any:
			if name, ok := n["name"].(string); ok {
				path += "." + name
				if doc, _ := n["doc"].(string); doc == "" {
					t.Errorf("%s has no doc", path)
				}
			}
			for _, v := range n {
				walk(path, v)
			}
		}
	}
	for _, c := range contracts {
		var tree any
		if err := json.Unmarshal([]byte(c.schema), &tree); err != nil {
			t.Fatal(err)
		}
		walk(c.name, tree)
	}
}

func TestBothLibrariesParse(t *testing.T) {
	for _, c := range contracts {
		ours, err := avro.Parse(c.schema)
		if err != nil {
			t.Fatalf("%s in twmb/avro: %v", c.name, err)
		}
		theirs, err := hamba.Parse(c.schema)
		if err != nil {
			t.Fatalf("%s in hamba/avro: %v", c.name, err)
		}
		// The canonical form has no logical types; this library leaves them in.
		canonical := strings.ReplaceAll(theirs.String(), `{"type":"long","logicalType":"timestamp-millis"}`, `"long"`)
		if diff := cmp.Diff(string(ours.Canonical()), canonical); diff != "" {
			t.Errorf("%s: canonical forms differ (-twmb +hamba):\n%s", c.name, diff)
		}
	}
}

// upstream is the schema as it is without the fields that are ours.
func upstream(t *testing.T, name, schema string) string {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal([]byte(schema), &tree); err != nil {
		t.Fatal(err)
	}
	fields := tree["fields"].([]any)
	tree["fields"] = fields[:len(fields)-ours[name]]
	j, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(j)
}

func TestEachSideReadsTheOther(t *testing.T) {
	for _, c := range contracts {
		old := upstream(t, c.name, c.schema)
		if err := Compatible(c.schema, old); err != nil {
			t.Errorf("we can't read what others write: %v", err)
		}
		if err := Compatible(old, c.schema); err != nil {
			t.Errorf("others can't read what we write: %v", err)
		}
	}
}

func TestCompatible(t *testing.T) {
	record := func(fields ...string) string {
		return `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
	}
	a, b, bDefault := `{"name":"a","type":"int"}`, `{"name":"b","type":"string"}`, `{"name":"b","type":"string","default":""}`
	tests := []struct {
		name, reader, writer, err string
	}{
		{"same", record(a), record(a), ""},
		{"reader lacks a field", record(a), record(a, b), ""},
		{"writer lacks a field with a default", record(a, bDefault), record(a), ""},
		{"writer lacks a field without a default", record(a, b), record(a), "b"},
		{"widened", record(`{"name":"a","type":"long"}`), record(a), ""},
		{"narrowed", record(a), record(`{"name":"a","type":"long"}`), "incompatible types"},
		{"became nullable", record(`{"name":"a","type":["null","int"]}`), record(a), ""},
		{"no longer nullable", record(a), record(`{"name":"a","type":["null","int"]}`), "a"},
		{"reader is no schema", `{`, record(a), "parse reader schema"},
		{"writer is no schema", record(a), `"strin"`, "parse writer schema"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Compatible(tt.reader, tt.writer)
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("got error %v", err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("got error %v, want one with %q", err, tt.err)
			}
		})
	}
}
