// Package tracing records HTTP requests as OpenTelemetry spans and exports them to an OTLP receiver.
package tracing

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"beacon/internal/config"
	"beacon/internal/identity"
	"beacon/internal/metrics"
)

// maxAttributeLength is the maximum length of an attribute value, in characters. It bounds values
// that clients choose, such as the path.
const maxAttributeLength = 1024

// propagator reads and writes the headers of W3C Trace Context and W3C Baggage.
var propagator = propagation.NewCompositeTextMapPropagator(
	propagation.TraceContext{}, propagation.Baggage{})

func attributes(id identity.Identity) []attribute.KeyValue {
	attributes := []attribute.KeyValue{
		semconv.ServiceName(id.Service),
		semconv.ServiceVersion(id.Version),
		semconv.ServiceInstanceID(id.Pod),
		attribute.String("deployment.track", id.Track),
	}
	if id.Namespace == "" {
		return attributes
	}
	return append(attributes,
		semconv.ServiceNamespace(id.Namespace),
		semconv.K8SNamespaceName(id.Namespace),
		semconv.K8SPodName(id.Pod),
	)
}

// Tracing creates spans and exports the sampled ones.
type Tracing struct {
	provider    trace.TracerProvider
	sampler     *ratioSampler
	trustParent atomic.Pointer[string]
	shutdown    func(context.Context) error
}

// New returns tracing with the given configuration. Its receiver is the one of OTEL_EXPORTER_OTLP_ENDPOINT
// and the other variables that otlptracehttp reads. Without a receiver no span is recorded, and the
// caller's trace context is propagated unchanged.
func New(
	id identity.Identity, c config.Tracing, log *slog.Logger, m *metrics.Metrics,
) (*Tracing, error) {
	t := &Tracing{
		provider: noop.NewTracerProvider(),
		sampler:  new(ratioSampler),
		shutdown: func(context.Context) error { return nil },
	}
	t.Configure(c)
	if enabled, err := hasReceiver(); err != nil || !enabled {
		return t, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("tracing", "error", err.Error())
	}))
	exporter, err := newExporter(log, m)
	if err != nil {
		return nil, err
	}
	// The variables take precedence. WithResource reports their errors.
	process, _ := resource.New(context.Background(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attributes(id)...), resource.WithFromEnv())
	limits := sdk.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxAttributeLength
	provider := sdk.NewTracerProvider(
		sdk.WithResource(process),
		sdk.WithRawSpanLimits(limits),
		sdk.WithSampler(sdk.ParentBased(t.sampler)),
		sdk.WithSpanProcessor(counter{m.Spans}),
		sdk.WithBatcher(exporter,
			sdk.WithBatchTimeout(batchTimeout), sdk.WithExportTimeout(exportTimeout)),
	)
	t.provider, t.shutdown = provider, provider.Shutdown
	return t, nil
}

// Configure sets the fraction of new traces that are sampled, and the requests that continue the trace of
// their caller.
func (t *Tracing) Configure(c config.Tracing) {
	t.sampler.set(c.SampleRatio)
	t.trustParent.Store(&c.TrustParent)
}

// Shutdown exports the remaining spans, for at most flushTimeout.
func (t *Tracing) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	return t.shutdown(ctx)
}

// ratioSampler is sdk.TraceIDRatioBased with a ratio that can change.
type ratioSampler struct{ current atomic.Pointer[sdk.Sampler] }

func (r *ratioSampler) set(fraction float64) {
	sampler := sdk.TraceIDRatioBased(fraction)
	r.current.Store(&sampler)
}

func (r *ratioSampler) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	return (*r.current.Load()).ShouldSample(p)
}

func (r *ratioSampler) Description() string { return (*r.current.Load()).Description() }

// Extract returns a context with the trace context of the request's headers, or with a new trace ID where
// they have none or come from a caller that is not trusted.
func (t *Tracing) Extract(r *http.Request) context.Context {
	ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	caller := trace.SpanContextFromContext(ctx)
	if caller.IsValid() {
		if t.trusts(r) {
			return ctx
		}
		ctx = context.WithValue(ctx, untrustedCaller{}, caller)
	}
	var id trace.TraceID
	// crypto/rand never returns an error: it ends the process instead.
	_, _ = rand.Read(id[:])
	// Without a span ID this is no valid parent: the first span becomes the root of this trace.
	return trace.ContextWithSpanContext(ctx,
		trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, Remote: true}))
}

// untrustedCaller is the context key of the span context of a caller that is not trusted.
type untrustedCaller struct{}

// trusts reports whether the request continues the trace of its caller. Proxies add X-Forwarded-For or
// Forwarded, which clients outside the cluster cannot prevent.
func (t *Tracing) trusts(r *http.Request) bool {
	switch *t.trustParent.Load() {
	case config.TrustAlways:
		return true
	case config.TrustDirect:
		return len(r.Header["X-Forwarded-For"]) == 0 && len(r.Header["Forwarded"]) == 0
	}
	return false
}

// TraceID returns the trace ID of the context, or "" outside a request.
func TraceID(ctx context.Context) string {
	if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() {
		return id.String()
	}
	return ""
}

// RecordedTraceID returns the trace ID of the context, or "" if its span is not recorded.
func RecordedTraceID(ctx context.Context) string {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ""
	}
	return TraceID(ctx)
}

// SpanID returns the ID of the context's span, or "" if it has no span of this process.
func SpanID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.HasSpanID() && !span.IsRemote() {
		return span.SpanID().String()
	}
	return ""
}
