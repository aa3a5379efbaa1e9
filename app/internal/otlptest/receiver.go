// Package otlptest is a receiver of traces for tests.
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

// deadline is far above what any span needs.
const deadline = 30 * time.Second

// A Receiver takes traces as OTLP over HTTP.
type Receiver struct {
	URL string

	t        *testing.T
	mu       sync.Mutex
	answers  []int
	requests int
	spans    []Span
}

// A Span is one that was received. Ids are hexadecimal, and empty where there is none.
type Span struct {
	Name                    string
	TraceID, SpanID, Parent string
	Kind                    tracepb.Span_SpanKind
	Status                  tracepb.Status_StatusCode
	Attributes, Resource    map[string]any
	Events                  []string
}

// New starts a receiver that ends with the test. It answers its first requests with the statuses
// given, then with 200.
func New(t *testing.T, answers ...int) *Receiver {
	t.Helper()
	r := &Receiver{t: t, answers: answers}
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
	if len(r.answers) > 0 {
		status := r.answers[0]
		r.answers = r.answers[1:]
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
	return s
}

func values(attributes []*commonpb.KeyValue) map[string]any {
	found := map[string]any{}
	for _, a := range attributes {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			found[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			found[a.Key] = v.IntValue
		default:
			found[a.Key] = v
		}
	}
	return found
}

// Requests is how many were received, whatever the answer.
func (r *Receiver) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Spans are those received so far.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Span waits for one with the name.
func (r *Receiver) Span(name string) Span {
	r.t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		spans := r.Spans()
		if i := slices.IndexFunc(spans, func(s Span) bool { return s.Name == name }); i >= 0 {
			return spans[i]
		}
	}
	r.t.Fatalf("no span %q within %s, but %v", name, deadline, r.Spans())
	return Span{}
}
