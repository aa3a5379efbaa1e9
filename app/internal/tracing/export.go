package tracing

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"beacon/internal/metrics"
)

const (
	// batchTimeout is the maximum delay before a span is exported.
	batchTimeout = time.Second
	// exportTimeout bounds one export, retries included.
	exportTimeout = 10 * time.Second
	// flushTimeout bounds the export at shutdown.
	flushTimeout = 3 * time.Second
	// outageLogInterval is the minimum time between two log lines of one outage.
	outageLogInterval = time.Minute
)

// hasReceiver reports whether the OTEL_ variables, which otlptracehttp reads itself, name a receiver.
func hasReceiver() (bool, error) {
	switch exporters := os.Getenv("OTEL_TRACES_EXPORTER"); exporters {
	case "", "otlp":
	case "none":
		return false, nil
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER: %q is not allowed (allowed: otlp or none)", exporters)
	}
	endpoint := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	return endpoint != "", nil
}

// newExporter returns an exporter of OTLP over HTTP.
func newExporter(log *slog.Logger, m *metrics.Metrics) (*exporter, error) {
	otlp, err := otlptracehttp.New(context.Background(),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled:         true,
			InitialInterval: 250 * time.Millisecond,
			MaxInterval:     exportTimeout,
			MaxElapsedTime:  exportTimeout,
		}),
		otlptracehttp.WithHTTPClient(&http.Client{
			Transport: retryable{http.DefaultTransport.(*http.Transport).Clone()},
			// Spans go to the configured receiver only.
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		}),
	)
	return &exporter{SpanExporter: otlp, log: log, exported: m.SpansExported}, err
}

// retryable marks network errors as temporary. The OTLP exporter retries only those, and a refused
// connection, such as during a restart of the receiver, is otherwise not one.
type retryable struct{ next http.RoundTripper }

func (t retryable) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err != nil {
		err = temporary{err}
	}
	return response, err
}

type temporary struct{ error }

func (temporary) Temporary() bool { return true }
func (t temporary) Unwrap() error { return t.error }

// exporter redacts spans, counts the exported and the lost ones, and logs outages without flooding
// the log. The SDK does not call it concurrently.
type exporter struct {
	sdk.SpanExporter
	log      *slog.Logger
	exported *prometheus.CounterVec

	lost   int
	logged time.Time
}

// ExportSpans never returns an error: the SDK would log each of them.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	redacted := make([]sdk.ReadOnlySpan, len(spans))
	for i, span := range spans {
		redacted[i] = redactedSpan{span}
	}
	err := e.SpanExporter.ExportSpans(ctx, redacted)
	if err == nil {
		e.exported.WithLabelValues("success").Add(float64(len(spans)))
		if !e.logged.IsZero() {
			e.log.Info("trace export recovered", "spans_lost", e.lost)
			e.lost, e.logged = 0, time.Time{}
		}
		return nil
	}
	e.exported.WithLabelValues("failure").Add(float64(len(spans)))
	e.lost += len(spans)
	if time.Since(e.logged) >= outageLogInterval {
		e.log.Warn("trace export failed", "error", err.Error(), "spans_lost", e.lost)
		e.logged = time.Now()
	}
	return nil
}

// redactedSpan is a span without client addresses, user agents and query strings, which otelhttp
// records.
type redactedSpan struct{ sdk.ReadOnlySpan }

func (s redactedSpan) Attributes() []attribute.KeyValue {
	var attributes []attribute.KeyValue
	for _, a := range s.ReadOnlySpan.Attributes() {
		switch a.Key {
		case semconv.ClientAddressKey, semconv.NetworkPeerAddressKey, semconv.NetworkPeerPortKey,
			semconv.UserAgentOriginalKey:
			continue
		case semconv.URLFullKey:
			a = semconv.URLFull(withoutQuery(a.Value.AsString()))
		}
		attributes = append(attributes, a)
	}
	return attributes
}

func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.RawQuery, u.Fragment, u.RawFragment = "", "", ""
	return u.String()
}

// counter counts ended spans. The exporter gets fewer when the queue of the SDK is full.
type counter struct{ spans prometheus.Counter }

func (counter) OnStart(context.Context, sdk.ReadWriteSpan) {}
func (c counter) OnEnd(sdk.ReadOnlySpan)                   { c.spans.Inc() }
func (counter) Shutdown(context.Context) error             { return nil }
func (counter) ForceFlush(context.Context) error           { return nil }
