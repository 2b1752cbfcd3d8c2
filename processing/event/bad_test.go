package event_test

import (
	"math"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

func TestCheckTime(t *testing.T) {
	const kafka, skew, min = 1_760_000_000_000, 300_000, 946_684_800_000
	tests := []struct {
		name        string
		time, kafka event.Millis
		reason      event.Reason
	}{
		{"now", kafka, kafka, ""},
		{"long ago", min, kafka, ""},
		{"before the least", min - 1, kafka, event.ImplausibleTimestamp},
		{"least of all", math.MinInt64, kafka, event.ImplausibleTimestamp},
		{"as far ahead as may be", kafka + skew, kafka, ""},
		{"further ahead", kafka + skew + 1, kafka, event.FutureTimestamp},
		{"greatest of all", math.MaxInt64, kafka, event.FutureTimestamp},
		{"greatest of all, Kafka at 0", math.MaxInt64, 0, event.FutureTimestamp},
		{"greatest of all, Kafka too", math.MaxInt64, math.MaxInt64, event.ImplausibleTimestamp},
		{"the year 10000", 253402300800000, 253402300800000, event.ImplausibleTimestamp},
		{"the year 9999", 253402300799999, math.MaxInt64, ""},
		{"no Kafka timestamp", kafka, -1, event.ImplausibleTimestamp},
	}
	for _, tt := range tests {
		bad := event.CheckTime(tt.time, tt.kafka, skew, min)
		var reason event.Reason
		if bad != nil {
			reason = bad.Reason
		}
		if reason != tt.reason {
			t.Errorf("%s: got %v, want %s", tt.name, bad, tt.reason)
		}
	}
}

func TestCheckTimeSaysWhatIsWrong(t *testing.T) {
	tests := []struct {
		time, kafka event.Millis
		want        string
	}{
		{1, 1, "implausible_timestamp: event time 1970-01-01T00:00:00.001Z is before 2000-01-01T00:00:00.000Z"},
		{math.MaxInt64, 1_760_000_000_000, "future_timestamp: event time 9223372036854775807 ms is more than 5m0s ahead of the record's Kafka timestamp 2025-10-09T08:53:20.000Z"},
		{1_760_000_000_000, -1, "implausible_timestamp: the record has no Kafka timestamp (-1) to judge the event time 2025-10-09T08:53:20.000Z by"},
	}
	for _, tt := range tests {
		if got := event.CheckTime(tt.time, tt.kafka, 300_000, 946_684_800_000).Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}
