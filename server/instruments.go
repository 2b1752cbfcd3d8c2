package server

import (
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/store"
)

// instruments is what /metrics shows: the process, the answers, and the pipeline's status at the moment of asking.
type instruments struct {
	requests *prometheus.HistogramVec
	serve    http.HandlerFunc
}

func newInstruments(s *Server) *instruments {
	registry := prometheus.NewRegistry()
	i := &instruments{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidemark_http_request_seconds", Help: "Time to answer requests, by route and status.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"route", "method", "status"}),
	}
	registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		i.requests, &statusCollector{s},
	)
	i.serve = promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, DisableCompression: true, ErrorHandling: promhttp.ContinueOnError,
	}).ServeHTTP
	return i
}

// observe measures every answer. It stands first, and lets what follows see the status.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(ww, r)
		route := chi.RouteContext(r.Context()).RoutePattern()
		if route == "/api/v1/live" {
			return // lasts for as long as the client stays
		}
		status := ww.Status()
		if status == 0 {
			status = http.StatusOK
		}
		s.metrics.requests.WithLabelValues(route, method(r), strconv.Itoa(status)).Observe(time.Since(began).Seconds())
	})
}

// method keeps invented methods from making series.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions:
		return r.Method
	default:
		return "other"
	}
}

func (s *Server) logPanic(r *http.Request, cause any) {
	s.Logger.Error("request met a bug", "path", r.URL.Path, "cause", cause, "stack", string(debug.Stack()))
}

var (
	upDesc           = desc("state", "1 for the state that the pipeline is in.", "state")
	heldDesc         = desc("held", "1 while no records are taken, because the disk is nearly full, say.")
	watermarkDesc    = desc("watermark_seconds", "The watermark, in seconds since the epoch.")
	recordsDesc      = desc("records_total", "Records, by what became of them.", "outcome")
	partlyLateDesc   = desc("records_partly_late_total", "Records that were late for some definitions, not for all.")
	badValuesDesc    = desc("bad_values_total", "Values that could not be held and counted as null.")
	openSessionsDesc = desc("open_sessions", "Sessions that have not closed.")
	lagDesc          = desc("partition_lag_records", "Records between the position and the end.", "topic", "partition")
	positionDesc     = desc("partition_position", "The next offset to read.", "topic", "partition")
	partitionWDesc   = desc("partition_watermark_seconds", "The partition's own watermark.", "topic", "partition")
	faultedDesc      = desc("partition_faulted", "1 if the partition waits for a decision.", "topic", "partition")
	seqDesc          = desc("feed_seq", "The last sequence of the feed.")
	commitAgeDesc    = desc("commit_age_seconds", "Time since the last commit.")
	commitDesc       = desc("commit_seconds", "Recent durations of commits.", "quantile")
	storeDesc        = desc("store_bytes", "Bytes that the store takes on disk.")
	freeDesc         = desc("store_free_bytes", "Bytes free on the store's disk.")
	clientsDesc      = desc("live_clients", "Connections of the live channel.")
	closedDesc       = desc("live_closed_total", "Connections of the live channel that the server closed, by code.", "code")
	firingDesc       = desc("alerts_firing", "Alerts that fire.", "severity")
	readerDesc       = desc("feed_reader_lag_entries", "Entries that a reader of the feed has yet to read.", "reader")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tidemark_"+name, help, labels, nil)
}

// statusCollector shows the pipeline's status.
type statusCollector struct{ server *Server }

func (c *statusCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		upDesc, heldDesc, watermarkDesc, recordsDesc, partlyLateDesc, badValuesDesc, openSessionsDesc, lagDesc, positionDesc,
		partitionWDesc, faultedDesc, seqDesc, commitAgeDesc, commitDesc, storeDesc, freeDesc, clientsDesc, closedDesc, firingDesc, readerDesc,
	} {
		out <- d
	}
}

func (c *statusCollector) Collect(out chan<- prometheus.Metric) {
	st := c.server.Pipeline.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, phase := range []processing.Phase{
		processing.Starting, processing.Running, processing.CatchingUp, processing.Faulted, processing.Stopping,
	} {
		gauge(upDesc, oneIf(st.Phase == phase), string(phase))
	}
	gauge(heldDesc, oneIf(st.Held != ""))
	if st.Watermark != event.NoTime {
		gauge(watermarkDesc, float64(st.Watermark)/1000)
	}
	gauge(openSessionsDesc, float64(st.OpenSessions))
	gauge(seqDesc, float64(st.Commit.Seq))
	if !st.Commit.At.IsZero() {
		gauge(commitAgeDesc, c.server.now().Sub(st.Commit.At).Seconds())
		gauge(commitDesc, st.Commit.DurationP50.Seconds(), "0.5")
		gauge(commitDesc, st.Commit.DurationP99.Seconds(), "0.99")
	}
	size, free := c.server.Store.Size()
	gauge(storeDesc, float64(size))
	gauge(freeDesc, float64(free))
	gauge(clientsDesc, float64(c.server.hub.Clients()))
	for code, n := range c.server.hub.Closed() {
		out <- prometheus.MustNewConstMetric(closedDesc, prometheus.CounterValue, float64(n), strconv.Itoa(int(code)))
	}
	collectCounters(out, st.Counters)
	for i := range st.Partitions {
		collectPartition(gauge, &st.Partitions[i])
	}
	c.collectAlerts(out, gauge)
	readers, err := c.server.readers(st.Commit.Seq)
	if err != nil {
		out <- prometheus.NewInvalidMetric(readerDesc, err)
	}
	for _, r := range readers {
		gauge(readerDesc, float64(r.Lag), r.Name)
	}
}

// collectAlerts shows every severity, so that a query for one does not find nothing while all is well.
func (c *statusCollector) collectAlerts(out chan<- prometheus.Metric, gauge func(*prometheus.Desc, float64, ...string)) {
	var firing map[string]int
	err := c.server.view(func(v *store.View) (err error) {
		firing, err = v.FiringAlerts()
		return err
	})
	if err != nil {
		out <- prometheus.NewInvalidMetric(firingDesc, err)
		return
	}
	for _, severity := range alertSeverities {
		gauge(firingDesc, float64(firing[severity]), severity)
	}
}

func collectCounters(out chan<- prometheus.Metric, n processing.Counters) {
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	counter(recordsDesc, n.Applied, "applied")
	counter(recordsDesc, n.Filtered, "filtered")
	counter(recordsDesc, n.Late, "late")
	counter(recordsDesc, n.DeadLetters, "dead_letter")
	counter(recordsDesc, n.Duplicates, "duplicate")
	counter(partlyLateDesc, n.LatePartly)
	counter(badValuesDesc, n.BadValues)
}

func collectPartition(gauge func(*prometheus.Desc, float64, ...string), p *processing.PartitionStatus) {
	labels := []string{p.Topic, strconv.Itoa(int(p.Partition))}
	gauge(lagDesc, float64(p.Lag), labels...)
	gauge(positionDesc, float64(p.Position), labels...)
	if p.Watermark != event.NoTime {
		gauge(partitionWDesc, float64(p.Watermark)/1000, labels...)
	}
	gauge(faultedDesc, oneIf(p.Fault != ""), labels...)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
