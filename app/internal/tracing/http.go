package tracing

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"beacon/internal/metrics"
)

// Handler records each request to next as a server span. The request's Pattern must be set.
func (t *Tracing) Handler(next http.Handler) http.Handler {
	return otelhttp.NewHandler(next, "", t.options()...)
}

// Transport records each request sent by next as a client span, and propagates the trace context.
func (t *Tracing) Transport(next http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(next, t.options()...)
}

func (t *Tracing) options() []otelhttp.Option {
	return []otelhttp.Option{
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithPropagators(propagator),
		otelhttp.WithSpanNameFormatter(spanName),
	}
}

// spanName is the method and the route, as OpenTelemetry's semantic conventions for HTTP require.
func spanName(_ string, r *http.Request) string {
	name := r.Method
	if !metrics.KnownMethod(name) {
		name = "HTTP"
	}
	if route := metrics.Route(r.Pattern); route != "" {
		name += " " + route
	}
	return name
}

// RecordPanic records the value and the stack of a panic in the context's span.
func RecordPanic(ctx context.Context, value any) {
	trace.SpanFromContext(ctx).RecordError(fmt.Errorf("panic: %v", value), trace.WithStackTrace(true))
}

// RecordFailure sets error.type and the status of the context's span.
func RecordFailure(ctx context.Context, errorType string) {
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
	span.SetStatus(codes.Error, "")
}
