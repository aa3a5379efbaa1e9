package tracing

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"beacon/internal/metrics"
)

// Handler records each request to next as a server span. The request's context must be that of Extract, and
// its Pattern must be set. The span of a caller that is not trusted becomes a link.
func (t *Tracing) Handler(next http.Handler) http.Handler {
	linked := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caller, ok := r.Context().Value(untrustedCaller{}).(trace.SpanContext); ok {
			trace.SpanFromContext(r.Context()).AddLink(trace.Link{SpanContext: caller})
		}
		next.ServeHTTP(w, r)
	})
	return otelhttp.NewHandler(linked, "", t.options(propagation.NewCompositeTextMapPropagator())...)
}

// Transport records each request sent by next as a client span, and propagates the trace context.
func (t *Tracing) Transport(next http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(next, t.options(propagator)...)
}

func (t *Tracing) options(p propagation.TextMapPropagator) []otelhttp.Option {
	return []otelhttp.Option{
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithPropagators(p),
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
