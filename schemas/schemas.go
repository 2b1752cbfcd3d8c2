package schemas

import (
	_ "embed"
	"fmt"

	"github.com/twmb/avro"
)

// Events is the schema of the events topic: com.analytics.pipeline.events.AnalyticsEvent.
//
//go:embed events.avsc
var Events string

// Metrics is the schema of the metrics topic: com.analytics.pipeline.metrics.ProcessedMetric.
//
//go:embed metrics.avsc
var Metrics string

// Alerts is the schema of the alerts topic: com.analytics.pipeline.alerts.CEAlert.
//
//go:embed alerts.avsc
var Alerts string

// Compatible reports whether a reader with one schema can read everything that a writer with the other writes, by
// the rules of Avro's schema resolution. The error names the first place where it can't.
func Compatible(reader, writer string) error {
	r, err := avro.Parse(reader)
	if err != nil {
		return fmt.Errorf("parse reader schema: %w", err)
	}
	w, err := avro.Parse(writer)
	if err != nil {
		return fmt.Errorf("parse writer schema: %w", err)
	}
	if err := avro.CheckCompatibility(w, r); err != nil {
		return fmt.Errorf("read %s as %s: %w", w.Root().Name, r.Root().Name, err)
	}
	return nil
}
