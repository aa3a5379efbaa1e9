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
	"beacon/internal/metrics"
)

// maxAttributeLength is the maximum length of an attribute value, in characters. It bounds values
// that clients choose, such as the path.
const maxAttributeLength = 8192

// propagator reads and writes the headers of W3C Trace Context and W3C Baggage.
var propagator = propagation.NewCompositeTextMapPropagator(
	propagation.TraceContext{}, propagation.Baggage{})

// Identity describes the process in the resource of its spans. Empty fields are omitted.
type Identity struct {
	Service   string
	Version   string
	Track     string
	Pod       string
	Namespace string
}

func (id Identity) attributes() []attribute.KeyValue {
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
	provider trace.TracerProvider
	sampler  *ratioSampler
	shutdown func(context.Context) error
}

// New returns tracing with the given configuration. Without an endpoint no span is recorded, and
// the caller's trace context is propagated unchanged.
func New(
	id Identity, c config.Tracing, log *slog.Logger, m *metrics.Metrics,
) (*Tracing, error) {
	t := &Tracing{
		provider: noop.NewTracerProvider(),
		sampler:  new(ratioSampler),
		shutdown: func(context.Context) error { return nil },
	}
	t.SetSampleRatio(c.SampleRatio)
	if c.Endpoint == "" {
		return t, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("tracing", "error", err.Error())
	}))
	exporter, err := newExporter(c.Endpoint, log, m)
	if err != nil {
		return nil, err
	}
	// Neither of these detectors can fail.
	process, _ := resource.New(context.Background(),
		resource.WithTelemetrySDK(), resource.WithAttributes(id.attributes()...))
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

// SetSampleRatio sets the fraction of new traces that are sampled. It does not affect requests
// whose caller has decided.
func (t *Tracing) SetSampleRatio(fraction float64) { t.sampler.set(fraction) }

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

// Extract returns a context with the trace context of the request's headers, or with a new trace ID
// where they have none.
func Extract(r *http.Request) context.Context {
	ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	var id trace.TraceID
	// crypto/rand never returns an error: it ends the process instead.
	_, _ = rand.Read(id[:])
	// Without a span ID this is no valid parent: the first span becomes the root of this trace.
	return trace.ContextWithSpanContext(ctx,
		trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, Remote: true}))
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
