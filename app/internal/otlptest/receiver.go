// Package otlptest provides an OTLP/HTTP trace receiver for tests.
package otlptest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// CloseConnection is a status for New: the receiver closes the connection without a response.
const CloseConnection = 0

// deadline bounds the wait for a span.
const deadline = 30 * time.Second

// A Receiver stores the spans that it receives.
type Receiver struct {
	URL string

	t        *testing.T
	mu       sync.Mutex
	statuses []int
	requests int
	spans    []Span
}

// A Span is a received span. Its IDs are hexadecimal, or empty.
type Span struct {
	Name                    string
	TraceID, SpanID, Parent string
	Kind                    tracepb.Span_SpanKind
	Status                  tracepb.Status_StatusCode
	Attributes, Resource    map[string]any
	Events                  []string
	// Links are the trace ID and the span ID of each linked span, joined.
	Links []string
}

// New starts a receiver that stops at the end of the test. It responds to its first requests with the
// given statuses, then with 200.
func New(t *testing.T, statuses ...int) *Receiver {
	t.Helper()
	r := &Receiver{t: t, statuses: statuses}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var traces tracepb.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &traces)
	}
	if err != nil || request.Method != http.MethodPost || request.URL.Path != "/v1/traces" ||
		request.Header.Get("Content-Type") != "application/x-protobuf" {
		r.t.Errorf("%s %s %v: %v", request.Method, request.URL, request.Header, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	if len(r.statuses) > 0 {
		status := r.statuses[0]
		r.statuses = r.statuses[1:]
		if status == CloseConnection {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		return
	}
	for _, resource := range traces.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				r.spans = append(r.spans, read(span, resource.Resource.Attributes))
			}
		}
	}
}

func read(span *tracepb.Span, resource []*commonpb.KeyValue) Span {
	s := Span{
		Name:       span.Name,
		TraceID:    hex.EncodeToString(span.TraceId),
		SpanID:     hex.EncodeToString(span.SpanId),
		Parent:     hex.EncodeToString(span.ParentSpanId),
		Kind:       span.Kind,
		Status:     span.Status.GetCode(),
		Attributes: values(span.Attributes),
		Resource:   values(resource),
	}
	for _, event := range span.Events {
		s.Events = append(s.Events, event.Name)
	}
	for _, link := range span.Links {
		s.Links = append(s.Links, hex.EncodeToString(link.TraceId)+hex.EncodeToString(link.SpanId))
	}
	return s
}

func values(attributes []*commonpb.KeyValue) map[string]any {
	byKey := map[string]any{}
	for _, a := range attributes {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			byKey[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			byKey[a.Key] = v.IntValue
		default:
			byKey[a.Key] = v
		}
	}
	return byKey
}

// Requests returns the number of received requests.
func (r *Receiver) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Spans returns the spans received so far.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Span waits for a span with the name.
func (r *Receiver) Span(name string) Span {
	r.t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		spans := r.Spans()
		if i := slices.IndexFunc(spans, func(s Span) bool { return s.Name == name }); i >= 0 {
			return spans[i]
		}
	}
	r.t.Fatalf("no span %q within %s: %v", name, deadline, r.Spans())
	return Span{}
}
