// Package metrics is what Prometheus reads of the service.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"beacon/internal/version"
)

// Metrics are the service's own, in a registry of their own.
type Metrics struct {
	InFlight       prometheus.Gauge
	Panics         prometheus.Counter
	FaultsInjected *prometheus.CounterVec
	Spans          prometheus.Counter
	SpansExported  *prometheus.CounterVec

	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	reloads       *prometheus.CounterVec
	reloadSuccess prometheus.Gauge
	reloadTime    prometheus.Gauge
}

// buckets are in seconds. They hold the bounds that drills and objectives speak of (80 ms, 450 ms).
var buckets = []float64{.0025, .005, .01, .025, .05, .08, .1, .25, .45, .5, 1, 2.5, 5, 10}

// New returns the metrics, registered and with every series that can be known beforehand.
func New() *Metrics {
	labels := []string{"method", "path", "status"}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "API requests answered, by method, route pattern and status.",
		}, labels),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "Time from the request's header to the end of its answer.",
			Buckets: buckets,
		}, labels),
		InFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_requests_in_flight",
			Help: "API requests being answered now.",
		}),
		Panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "beacon_panics_total",
			Help: "Requests whose handler panicked.",
		}),
		FaultsInjected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "beacon_faults_injected_total",
			Help: "Requests that a fault was injected into, by kind.",
		}, []string{"kind"}),
		Spans: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "beacon_trace_spans_total",
			Help: "Spans recorded. Those that are never exported found the queue full.",
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
			Help: "1 where the file as it is now is in force, 0 where it was refused.",
		}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "beacon_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration in force was loaded, in Unix time.",
		}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "beacon_build_info",
		Help: "Always 1; the labels say which build this is.",
	}, []string{"version", "revision", "goversion"})
	build.WithLabelValues(version.Version, version.Revision, version.Go()).Set(1)
	m.FaultsInjected.WithLabelValues("error")
	m.FaultsInjected.WithLabelValues("latency")
	m.SpansExported.WithLabelValues("success")
	m.SpansExported.WithLabelValues("failure")
	m.reloads.WithLabelValues("success")
	m.reloads.WithLabelValues("failure")
	m.registry.MustRegister(
		m.requests, m.duration, m.InFlight, m.Panics, m.FaultsInjected, m.Spans, m.SpansExported,
		m.reloads, m.reloadSuccess, m.reloadTime, build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.setReloaded()
	return m
}

// ReportReady makes beacon_ready what the function says at every scrape.
func (m *Metrics) ReportReady(ready func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "beacon_ready",
		Help: "1 while /ready answers 200.",
	}, func() float64 {
		if ready() {
			return 1
		}
		return 0
	}))
}

// Handler serves the metrics in the text format, or as OpenMetrics with exemplars to those who ask
// for it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry,
		promhttp.HandlerOpts{
			Registry:          m.registry,
			EnableOpenMetrics: true,
			// Else the first count of a new series, such as the first errors, would be no increase.
			EnableOpenMetricsTextCreatedSamples: true,
		})
}

// Observe counts one answered request. The path is its route's pattern, never what the client
// sent, so that clients cannot add series. The trace id, where there is one, becomes the exemplar
// of the duration.
func (m *Metrics) Observe(method, path string, status int, took time.Duration, traceID string) {
	if !KnownMethod(method) {
		method = "other"
	}
	labels := []string{method, path, strconv.Itoa(status)}
	m.requests.WithLabelValues(labels...).Inc()
	duration := m.duration.WithLabelValues(labels...)
	if exemplar, ok := duration.(prometheus.ExemplarObserver); ok && traceID != "" {
		exemplar.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": traceID})
		return
	}
	duration.Observe(took.Seconds())
}

// Reloaded counts one reload of the configuration.
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

// KnownMethod tells the methods of HTTP from a client's invention.
func KnownMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}
