package tracing

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"beacon/internal/metrics"
)

// Spans follow OpenTelemetry's semantic conventions for HTTP, but hold no query and no header,
// for these may be secret.

// A Served is the span of a request that is being answered.
type Served struct {
	span   trace.Span
	method string
}

// Serve begins the span of a request whose context is from Join. The request that it returns
// belongs to the span.
func (t *Tracing) Serve(r *http.Request) (*http.Request, Served) {
	name := spanName(r.Method)
	ctx, span := t.tracer.Start(r.Context(), name, trace.WithSpanKind(trace.SpanKindServer))
	if span.IsRecording() {
		span.SetAttributes(method(r.Method)...)
		span.SetAttributes(address(r.Host, "http")...)
		span.SetAttributes(
			semconv.URLScheme("http"),
			semconv.URLPath(r.URL.Path),
			semconv.NetworkProtocolVersion(protocol(r.ProtoMajor, r.ProtoMinor)),
		)
	}
	return r.WithContext(ctx), Served{span, name}
}

// TraceID is the trace to look the request up by, or nothing where it is not recorded.
func (s Served) TraceID() string {
	if !s.span.IsRecording() {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// Panicked adds what the handler failed with, and where.
func (s Served) Panicked(reason any) {
	s.span.RecordError(fmt.Errorf("panic: %v", reason), trace.WithStackTrace(true))
}

// Answered ends the span with the status that was answered.
func (s Served) Answered(route string, status int) {
	s.matched(route)
	s.span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	if status >= http.StatusInternalServerError {
		fail(s.span, strconv.Itoa(status), http.StatusText(status))
	}
	s.span.End()
}

// CutOff ends the span of a request whose answer was not brought to its end.
func (s Served) CutOff(route string) {
	s.matched(route)
	fail(s.span, "aborted", "the answer was cut off")
	s.span.End()
}

// matched takes the pattern that the request matched, or nothing.
func (s Served) matched(route string) {
	if route != "" {
		s.span.SetName(s.method + " " + route)
		s.span.SetAttributes(semconv.HTTPRoute(route))
	}
}

func fail(span trace.Span, kind, description string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	span.SetStatus(codes.Error, description)
}

// Transport returns a round tripper whose requests are spans, and which tells the server of the
// trace that they belong to.
func (t *Tracing) Transport(next http.RoundTripper) http.RoundTripper {
	return transport{t.tracer, next}
}

type transport struct {
	tracer trace.Tracer
	next   http.RoundTripper
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(r.Context(), spanName(r.Method), trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(method(r.Method)...)
		span.SetAttributes(address(r.URL.Host, r.URL.Scheme)...)
		span.SetAttributes(semconv.URLFull(shown(*r.URL)))
	}
	r = r.Clone(ctx)
	propagator.Inject(ctx, propagation.HeaderCarrier(r.Header))
	response, err := t.next.RoundTrip(r)
	if err != nil {
		span.SetAttributes(semconv.ErrorType(err))
		span.SetStatus(codes.Error, err.Error())
		span.End()
		return nil, err
	}
	span.SetAttributes(
		semconv.HTTPResponseStatusCode(response.StatusCode),
		semconv.NetworkProtocolVersion(protocol(response.ProtoMajor, response.ProtoMinor)),
	)
	if response.StatusCode >= http.StatusBadRequest {
		fail(span, strconv.Itoa(response.StatusCode), response.Status)
	}
	response.Body = body{response.Body, sync.OnceFunc(func() { span.End() })}
	return response, nil
}

// body ends the span of a request when its answer has been read.
type body struct {
	io.ReadCloser
	end func()
}

func (b body) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

func spanName(method string) string {
	if metrics.KnownMethod(method) {
		return method
	}
	return "HTTP"
}

func method(name string) []attribute.KeyValue {
	if metrics.KnownMethod(name) {
		return []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(name)}
	}
	return []attribute.KeyValue{semconv.HTTPRequestMethodOther, semconv.HTTPRequestMethodOriginal(name)}
}

func address(hostPort, scheme string) []attribute.KeyValue {
	u := url.URL{Host: hostPort}
	if u.Hostname() == "" {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	number, _ := strconv.Atoi(port)
	return []attribute.KeyValue{semconv.ServerAddress(u.Hostname()), semconv.ServerPort(number)}
}

// shown is a URL without what may be secret.
func shown(u url.URL) string {
	u.User, u.RawQuery, u.Fragment, u.RawFragment = nil, "", "", ""
	return u.String()
}

func protocol(major, minor int) string {
	if major > 1 {
		return strconv.Itoa(major)
	}
	return fmt.Sprintf("%d.%d", major, minor)
}
