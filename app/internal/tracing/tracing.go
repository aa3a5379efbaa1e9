// Package tracing records which requests led to which, and sends that to an OTLP receiver.
package tracing

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"beacon/internal/config"
	"beacon/internal/metrics"
)

const (
	// batchDelay is how long a span waits for others before it is sent.
	batchDelay = time.Second
	// exportTimeout bounds one export with all its retries, so that a queue of spans moves on.
	exportTimeout = 10 * time.Second
	// flushTimeout bounds what is sent at the end: with no receiver the end is not to be late.
	flushTimeout = 3 * time.Second
	// maxAttribute is the most characters that a span keeps of one value, such as a client's path.
	maxAttribute = 8192
)

// propagator reads and writes the headers of W3C Trace Context and W3C Baggage.
var propagator = propagation.NewCompositeTextMapPropagator(
	propagation.TraceContext{}, propagation.Baggage{})

// Identity is what every span says of the process that recorded it. What is empty is left out.
type Identity struct {
	Service   string
	Version   string
	Track     string
	Pod       string
	Namespace string
}

func (id Identity) attributes() []attribute.KeyValue {
	named := []attribute.KeyValue{
		semconv.ServiceName(id.Service),
		semconv.ServiceVersion(id.Version),
		semconv.ServiceInstanceID(id.Pod),
		attribute.String("deployment.track", id.Track),
	}
	if id.Namespace == "" {
		return named
	}
	return append(named,
		semconv.ServiceNamespace(id.Namespace),
		semconv.K8SNamespaceName(id.Namespace),
		semconv.K8SPodName(id.Pod),
	)
}

// Tracing begins spans and sends those that are sampled.
type Tracing struct {
	tracer   trace.Tracer
	sampler  *ratio
	shutdown func(context.Context) error
}

// New returns tracing as the configuration says. Without an endpoint no span is recorded, and a
// caller's trace passes through unchanged.
func New(id Identity, c config.Tracing, log *slog.Logger, m *metrics.Metrics) *Tracing {
	t := &Tracing{
		tracer:   noop.NewTracerProvider().Tracer(""),
		sampler:  new(ratio),
		shutdown: func(context.Context) error { return nil },
	}
	t.SetSampleRatio(c.SampleRatio)
	if c.Endpoint == "" {
		return t
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("tracing", "error", err.Error())
	}))
	exporter := &reporter{
		SpanExporter: otlptrace.NewUnstarted(newUploader(c.Endpoint)),
		log:          log,
		exported:     m.SpansExported,
	}
	// Neither part can fail.
	process, _ := resource.New(context.Background(),
		resource.WithTelemetrySDK(), resource.WithAttributes(id.attributes()...))
	limits := sdk.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxAttribute
	provider := sdk.NewTracerProvider(
		sdk.WithResource(process),
		sdk.WithRawSpanLimits(limits),
		sdk.WithSampler(sdk.ParentBased(t.sampler)),
		sdk.WithSpanProcessor(counter{m.Spans}),
		sdk.WithBatcher(exporter,
			sdk.WithBatchTimeout(batchDelay), sdk.WithExportTimeout(exportTimeout)),
	)
	t.tracer = provider.Tracer(id.Service, trace.WithInstrumentationVersion(id.Version),
		trace.WithSchemaURL(semconv.SchemaURL))
	t.shutdown = provider.Shutdown
	return t
}

// SetSampleRatio changes which of the traces that begin here are recorded.
func (t *Tracing) SetSampleRatio(share float64) { t.sampler.set(share) }

// Shutdown sends what is still to be sent, until the context ends or a few seconds have passed.
func (t *Tracing) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	return t.shutdown(ctx)
}

// Join returns a context with the trace that a request belongs to, recorded or not: its caller's,
// or a new one.
func Join(r *http.Request) context.Context {
	ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	var id trace.TraceID
	// crypto/rand never returns an error: it ends the process instead.
	_, _ = rand.Read(id[:])
	// Without a span this is no valid parent, and so the first span becomes the root of this trace.
	return trace.ContextWithSpanContext(ctx,
		trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, Remote: true}))
}

// TraceID is that of the context's trace, or nothing outside a request.
func TraceID(ctx context.Context) string {
	if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() {
		return id.String()
	}
	return ""
}

// SpanID is that of the context's span in this process, or nothing where there is none.
func SpanID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.HasSpanID() && !span.IsRemote() {
		return span.SpanID().String()
	}
	return ""
}
