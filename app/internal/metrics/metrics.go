// Package metrics exposes the service's Prometheus metrics.
package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"beacon/internal/version"
)

// Metrics holds the collectors of the service and their registry.
type Metrics struct {
	InFlight        prometheus.Gauge
	Refused         *prometheus.CounterVec
	Panics          prometheus.Counter
	LogLinesDropped prometheus.Counter
	FaultsInjected  *prometheus.CounterVec
	Spans           prometheus.Counter
	SpansExported   *prometheus.CounterVec

	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	reloads       *prometheus.CounterVec
	reloadSuccess prometheus.Gauge
	reloadTime    prometheus.Gauge
}

// buckets are upper bounds in seconds. 80 ms and 450 ms are the thresholds of objectives and drills.
var buckets = []float64{.0025, .005, .01, .025, .05, .08, .1, .25, .45, .5, 1, 2.5, 5, 10}

// New registers the metrics, and initializes every series whose labels are known in advance to 0.
func New() *Metrics {
	labels := []string{"method", "path", "status"}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "API requests served, by method, route pattern and status. Probes are not counted.",
		}, labels),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "Duration of API requests in seconds, from the request header to the end of the response.",
			Buckets: buckets,
		}, labels),
		InFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_requests_in_flight",
			Help: "API requests in flight.",
		}),
		Refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "beacon_requests_refused_total",
			Help: "API requests refused with status 503, by the exceeded limit.",
		}, []string{"reason"}),
		LogLinesDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "beacon_log_lines_dropped_total",
			Help: "Log lines of requests dropped because of limits.logLinesPerSecond.",
		}),
		Panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "beacon_panics_total",
			Help: "Requests whose handler panicked.",
		}),
		FaultsInjected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "beacon_faults_injected_total",
			Help: "Faults injected into requests, by kind.",
		}, []string{"kind"}),
		Spans: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "beacon_trace_spans_total",
			Help: "Spans ended. The difference from the exported ones was dropped because the queue was full.",
		}),
		SpansExported: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "beacon_trace_spans_exported_total",
			Help: "Spans sent to the OTLP receiver, by result.",
		}, []string{"result"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "beacon_config_reloads_total",
			Help: "Reloads of a changed configuration file, by result.",
		}, []string{"result"}),
		reloadSuccess: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "beacon_config_last_reload_successful",
			Help: "1 if the last reload of the configuration file succeeded, otherwise 0.",
		}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "beacon_config_last_reload_success_timestamp_seconds",
			Help: "Unix time of the last successful load of the configuration.",
		}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "beacon_build_info",
		Help: "Constant 1, labeled with the build.",
	}, []string{"version", "revision", "goversion"})
	build.WithLabelValues(version.Version, version.Revision, version.Go()).Set(1)
	m.Refused.WithLabelValues("requests")
	m.Refused.WithLabelValues("body_bytes")
	m.FaultsInjected.WithLabelValues("error")
	m.FaultsInjected.WithLabelValues("latency")
	m.SpansExported.WithLabelValues("success")
	m.SpansExported.WithLabelValues("failure")
	m.reloads.WithLabelValues("success")
	m.reloads.WithLabelValues("failure")
	m.registry.MustRegister(
		m.requests, m.duration, m.InFlight, m.Refused, m.Panics, m.LogLinesDropped,
		m.FaultsInjected, m.Spans, m.SpansExported, m.reloads,
		m.reloadSuccess, m.reloadTime, build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.setReloaded()
	return m
}

// RegisterReady registers beacon_ready, whose value is evaluated at each scrape.
func (m *Metrics) RegisterReady(ready func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "beacon_ready",
		Help: "1 if /ready returns 200, otherwise 0.",
	}, func() float64 {
		if ready() {
			return 1
		}
		return 0
	}))
}

// RegisterLimits registers the limits on requests in flight and on the bytes of their bodies, and these
// bytes. They are evaluated at each scrape.
func (m *Metrics) RegisterLimits(maxRequests, bodyBytes, maxBodyBytes func() int64) {
	gauge := func(name, help string, value func() int64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value()) }))
	}
	gauge("beacon_requests_in_flight_limit", "Maximum number of API requests in flight.", maxRequests)
	gauge("beacon_request_body_bytes", "Bytes read from the bodies of API requests in flight.", bodyBytes)
	gauge("beacon_request_body_limit_bytes", "Maximum of beacon_request_body_bytes.", maxBodyBytes)
}

// Handler serves the metrics in the text format, or as OpenMetrics with exemplars if the Accept
// header requests it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry,
		promhttp.HandlerOpts{
			Registry:          m.registry,
			EnableOpenMetrics: true,
			// Without a created timestamp, increase() misses the first value of a new series.
			EnableOpenMetricsTextCreatedSamples: true,
		})
}

// Observe records one request. The path must be a route, not the path that the client sent: clients
// must not be able to add series. A non-empty trace ID becomes the exemplar of the duration.
func (m *Metrics) Observe(method, path string, status int, duration time.Duration, traceID string) {
	if !KnownMethod(method) {
		method = "other"
	}
	labels := []string{method, path, strconv.Itoa(status)}
	m.requests.WithLabelValues(labels...).Inc()
	histogram := m.duration.WithLabelValues(labels...)
	if exemplar, ok := histogram.(prometheus.ExemplarObserver); ok && traceID != "" {
		exemplar.ObserveWithExemplar(duration.Seconds(), prometheus.Labels{"trace_id": traceID})
		return
	}
	histogram.Observe(duration.Seconds())
}

// Reloaded records the result of one reload of the configuration.
func (m *Metrics) Reloaded(err error) {
	if err != nil {
		m.reloads.WithLabelValues("failure").Inc()
		m.reloadSuccess.Set(0)
		return
	}
	m.reloads.WithLabelValues("success").Inc()
	m.setReloaded()
}

func (m *Metrics) setReloaded() {
	m.reloadSuccess.Set(1)
	m.reloadTime.SetToCurrentTime()
}

// KnownMethod reports whether the method is one of RFC 9110 or RFC 5789.
func KnownMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// Route returns the path of a http.ServeMux pattern: /api/v1/notes/{id} for "GET /api/v1/notes/{id}",
// and "" for "".
func Route(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i >= 0 {
		return strings.TrimSuffix(pattern[i:], "{$}")
	}
	return ""
}
