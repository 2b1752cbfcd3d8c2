package e2e

import (
	"fmt"
	"testing"
	"time"
)

// history is what the dashboard's main chart is drawn from.
type history struct {
	Series []struct{ Points [][2]*float64 }
}

func (p *process) chart() (points int) {
	var h history
	if err := p.fetch("/api/v1/metrics/page_views_per_second/history?from=-15m", &h); err != nil || len(h.Series) == 0 {
		return 0
	}
	return len(h.Series[0].Points)
}

// moving waits until a number changes, and returns how long after the start of the process that was.
func (p *process) moving() time.Duration {
	p.t.Helper()
	value := func() string {
		var latest struct {
			Open []struct{ Value float64 }
		}
		if err := p.fetch("/api/v1/metrics/page_views_per_second/latest", &latest); err != nil || len(latest.Open) == 0 {
			return ""
		}
		return fmt.Sprint(latest.Open)
	}
	first := ""
	p.await("a number moves", func() bool {
		now := value()
		if first == "" {
			first = now
		}
		return now != "" && now != first
	})
	return time.Since(p.started)
}

// A newcomer's first minutes: start, look, stop, start again, have it die, start again.
func TestDemoStartsEndsAndGoesOn(t *testing.T) {
	t.Parallel()
	data, listen, broker := t.TempDir(), freeAddress(t), freeAddress(t)
	start := func() *process {
		return launch(t, listen, "demo", "--rate", "100", "--data", data, "--embedded-listen", broker)
	}
	p := start()
	ready := p.ready()
	moving := p.moving()
	const fullChart = 15*60/5 - 12 // what is still open is not there yet
	p.await("the chart is full", func() bool { return p.chart() >= fullChart })
	full := time.Since(p.started)
	consumed := p.pipeline().Counters["consumed"]
	end := p.interrupt()
	t.Logf("ready after %v, numbers move after %v, charts are full after %v, ended in %v", ready, moving, full, end)
	if ready > patience*2*time.Second || moving > patience*3*time.Second || full > patience*10*time.Second || end > patience*promisedEnd {
		t.Error("slower than ten times what is promised")
	}

	p = start()
	p.ready()
	if points := p.chart(); points < fullChart-60 {
		t.Errorf("after a restart the chart has %d points", points)
	}
	p.await("more is consumed", func() bool { return p.pipeline().Counters["consumed"] > consumed })
	consumed = p.pipeline().Counters["consumed"]
	p.kill()

	p = start()
	p.ready()
	p.await("more is consumed after a kill", func() bool { return p.pipeline().Counters["consumed"] > consumed })
	p.interrupt()
}
