package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"beacon/internal/config"
	"beacon/internal/otlptest"
)

const (
	callerTrace = "0af7651916cd43dd8448eb211c80319c"
	callerSpan  = "b7ad6b7169203331"
	sampled     = "00-" + callerTrace + "-" + callerSpan + "-01"
	notSampled  = "00-" + callerTrace + "-" + callerSpan + "-00"
)

// traced returns a fixture that exports its traces to a receiver.
func traced(t *testing.T, sampleRatio float64, more string) (fixture, *otlptest.Receiver) {
	t.Helper()
	receiver := otlptest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	return newFixture(t, fmt.Sprintf("tracing: {sampleRatio: %v}\n%s", sampleRatio, more)), receiver
}

// spans shuts tracing down and returns the received spans.
func (f fixture) spans(receiver *otlptest.Receiver) []otlptest.Span {
	f.t.Helper()
	if err := f.tracing.Shutdown(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	return receiver.Spans()
}

func TestOnlyAValidTraceparentIsContinued(t *testing.T) {
	f := newFixture(t, "")
	for header, continued := range map[string]bool{
		sampled:    true,
		notSampled: true,
		"cc-" + callerTrace + "-" + callerSpan + "-01-later":            true,
		"00-" + callerTrace + "-" + callerSpan + "-01-extra":            false,
		"ff-" + callerTrace + "-" + callerSpan + "-01":                  false,
		"00-" + callerTrace + "-0000000000000000-01":                    false,
		"00-00000000000000000000000000000000-" + callerSpan + "-01":     false,
		"00-" + strings.ToUpper(callerTrace) + "-" + callerSpan + "-01": false,
		"00-" + callerTrace[1:] + "-" + callerSpan + "-01":              false,
		"": false,
	} {
		id := f.api(request("GET", "/", "", "Traceparent", header)).Header().Get("X-Trace-Id")
		if continued != (id == callerTrace) || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("%q gives %s", header, id)
		}
	}
}

func TestAServerSpanFollowsTheSemanticConventionsWithoutSecrets(t *testing.T) {
	f, receiver := traced(t, 0, "")
	f.expect(f.api(request("GET", "http://beacon.test:81/api/v1/notes/x?q=s3cr3t", "",
		"Traceparent", sampled, "Authorization", "s3cr3t", "User-Agent", "s3cr3t")), 404)
	spans := f.spans(receiver)
	if len(spans) != 1 {
		t.Fatalf("the spans are %v", spans)
	}
	span := spans[0]
	if span.Name != "GET /api/v1/notes/{id}" || span.Kind != tracepb.Span_SPAN_KIND_SERVER ||
		span.TraceID != callerTrace || span.Parent != callerSpan || span.Status != tracepb.Status_STATUS_CODE_UNSET {
		t.Errorf("the span is %+v", span)
	}
	expectAll(t, span.Attributes, map[string]any{
		"http.request.method": "GET", "http.route": "/api/v1/notes/{id}", "http.response.status_code": int64(404),
		"url.path": "/api/v1/notes/x", "url.scheme": "http", "network.protocol.version": "1.1",
		"server.address": "beacon.test", "server.port": int64(81),
	})
	expectAll(t, span.Resource, map[string]any{
		"service.name": "beacon", "service.version": "1.2.3", "service.namespace": "ns", "deployment.track": "canary",
		"service.instance.id": "pod-1", "k8s.pod.name": "pod-1", "k8s.namespace.name": "ns",
		"telemetry.sdk.language": "go",
	})
	if strings.Contains(fmt.Sprint(span), "s3cr3t") {
		t.Errorf("a secret is in %+v", span)
	}
}

func expectAll(t *testing.T, got, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
}

func TestClientsCannotAddSpanNames(t *testing.T) {
	f, receiver := traced(t, 1, "")
	f.api(request("BREW", "/nowhere", ""))
	f.api(request("GET", "/nowhere/else", ""))
	spans := f.spans(receiver)
	if len(spans) != 2 || spans[0].Name != "HTTP" || spans[1].Name != "GET" {
		t.Fatalf("the spans are %+v", spans)
	}
	expectAll(t, spans[0].Attributes, map[string]any{
		"http.request.method": "_OTHER", "http.request.method_original": "BREW",
		"http.response.status_code": int64(404), "http.route": nil,
	})
	if spans[0].Parent != "" {
		t.Errorf("the parent of a root is %s", spans[0].Parent)
	}
}

func TestAFailureSetsTheSpanStatus(t *testing.T) {
	f, receiver := traced(t, 1, "limits: {notes: 0}\n")
	f.api(request("POST", "/api/v1/notes", `{"text":"x"}`, "Content-Type", "application/json"))
	serve(f.identify(f.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") }))), request("GET", "/", ""))
	func() {
		defer func() { _ = recover() }()
		serve(f.identify(f.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))), request("PUT", "/", ""))
	}()
	kinds := []any{"507", "500", "aborted"}
	spans := f.spans(receiver)
	if len(spans) != len(kinds) {
		t.Fatalf("the spans are %+v", spans)
	}
	for i, span := range spans {
		if span.Status != tracepb.Status_STATUS_CODE_ERROR || span.Attributes["error.type"] != kinds[i] {
			t.Errorf("the span is %+v", span)
		}
	}
	if events := spans[1].Events; len(events) != 1 || events[0] != "exception" {
		t.Errorf("the events of a panic are %v", events)
	}
}

func TestTheSamplingDecisionOfTheCallerIsFollowed(t *testing.T) {
	f, receiver := traced(t, 1, "")
	f.api(request("GET", "/", "", "Traceparent", notSampled))
	f.api(request("GET", "/version", "", "Traceparent", sampled))
	if spans := f.spans(receiver); len(spans) != 1 || spans[0].Name != "GET /version" {
		t.Errorf("the spans are %+v", spans)
	}
}

func TestARequestThatIsNotTrustedStartsANewTraceWithALinkToItsCaller(t *testing.T) {
	forwarded := []string{"X-Forwarded-For", "203.0.113.7"}
	for _, test := range []struct {
		trust   string
		headers []string
		trusted bool
	}{
		{"never", nil, false},
		{"direct", nil, true},
		{"direct", forwarded, false},
		{"direct", []string{"Forwarded", "for=203.0.113.7"}, false},
		{"always", forwarded, true},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			f, receiver := traced(t, 1, "")
			next := *f.config.Get()
			next.Tracing.TrustParent = test.trust
			f.Reloaded(config.Change{Old: f.config.Get(), New: &next})
			w := f.api(request("GET", "/", "", append(test.headers, "Traceparent", sampled)...))
			spans := f.spans(receiver)
			if len(spans) != 1 || spans[0].TraceID != w.Header().Get("X-Trace-Id") {
				t.Fatalf("the response has trace %s, the spans are %+v", w.Header().Get("X-Trace-Id"), spans)
			}
			span := spans[0]
			if test.trusted && (span.TraceID != callerTrace || span.Parent != callerSpan || len(span.Links) != 0) {
				t.Errorf("the span is %+v", span)
			}
			if !test.trusted && (span.TraceID == callerTrace || span.Parent != "" ||
				len(span.Links) != 1 || span.Links[0] != callerTrace+callerSpan) {
				t.Errorf("the span is %+v", span)
			}
		})
	}
}

func TestAClientBehindAProxyDoesNotDecideSampling(t *testing.T) {
	for ratio, want := range map[float64]int{0: 0, 1: 2} {
		f, receiver := traced(t, ratio, "")
		for _, decision := range []string{sampled, notSampled} {
			f.api(request("GET", "/", "", "Traceparent", decision, "X-Forwarded-For", "203.0.113.7"))
		}
		if spans := f.spans(receiver); len(spans) != want {
			t.Errorf("with ratio %v the spans are %+v", ratio, spans)
		}
	}
}

func TestWithoutAReceiverTheDecisionOfAClientIsNotRelayed(t *testing.T) {
	f := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		if header := r.Header.Get("Traceparent"); header != "" {
			t.Errorf("the relayed traceparent is %s", header)
		}
	})
	f.expect(f.api(request("GET", "/api/relay", "", "Traceparent", sampled, "X-Forwarded-For", "203.0.113.7")), 200)
}

func TestAReloadUpdatesTheSampleRatio(t *testing.T) {
	f, receiver := traced(t, 0, "")
	f.api(request("GET", "/version", ""))
	next := *f.config.Get()
	next.Tracing.SampleRatio = 1
	f.Reloaded(config.Change{Old: f.config.Get(), New: &next, Applied: []string{"tracing.sampleRatio"}})
	f.api(request("GET", "/", ""))
	if spans := f.spans(receiver); len(spans) != 1 || spans[0].Name != "GET /" {
		t.Errorf("the spans are %+v", spans)
	}
}

func TestTheSampleRatioIsTheFractionOfSampledTraces(t *testing.T) {
	f, receiver := traced(t, 0.25, "")
	const requests = 1000
	for range requests {
		f.api(request("GET", "/", ""))
	}
	// 250 ± 69 is five standard deviations.
	if n := len(f.spans(receiver)); n < 181 || n > 319 {
		t.Errorf("%d of %d requests were sampled", n, requests)
	}
}

func TestProbesAndAdminEndpointsAreNotTraced(t *testing.T) {
	f, receiver := traced(t, 1, "")
	for _, target := range []string{"/healthz", "/ready", "/metrics"} {
		f.admin(request("GET", target, "", "Traceparent", sampled))
	}
	f.api(request("GET", "/healthz", "", "Traceparent", sampled))
	if spans := f.spans(receiver); len(spans) != 0 {
		t.Errorf("the spans are %+v", spans)
	}
}

func TestTheResponseAndTheLogLineHaveTheIDsOfTheSpan(t *testing.T) {
	f, receiver := traced(t, 1, "")
	id := f.api(request("GET", "/", "")).Header().Get("X-Trace-Id")
	var line map[string]any
	if err := json.Unmarshal([]byte(f.log.String()), &line); err != nil {
		t.Fatal(err)
	}
	spans := f.spans(receiver)
	if len(spans) != 1 || spans[0].TraceID != id || line["trace_id"] != id || line["span_id"] != spans[0].SpanID {
		t.Errorf("the response has %s, the line %v, the spans are %+v", id, line, spans)
	}
}

func TestTheLogLineOfAnUnsampledRequestHasIDs(t *testing.T) {
	f, _ := traced(t, 0, "")
	f.api(request("GET", "/", ""))
	if !regexp.MustCompile(`"trace_id":"[0-9a-f]{32}","span_id":"[0-9a-f]{16}"`).MatchString(f.log.String()) {
		t.Errorf("the log line is %s", f.log)
	}
}

func TestOnlySampledRequestsHaveExemplars(t *testing.T) {
	f, _ := traced(t, 0, "")
	f.api(request("GET", "/", "", "Traceparent", notSampled))
	f.api(request("GET", "/version", "", "Traceparent", sampled))
	text := f.admin(request("GET", "/metrics", "", "Accept", "application/openmetrics-text")).Body.String()
	want := regexp.MustCompile(`(?m)^http_request_duration_seconds_bucket{method="GET",path="/version",.* # {trace_id="` + callerTrace + `"}`)
	if !want.MatchString(text) || strings.Count(text, "trace_id") != 1 {
		t.Errorf("the metrics are %s", text)
	}
}

func TestWithoutAnEndpointThereAreNoExemplars(t *testing.T) {
	f := newFixture(t, "tracing: {sampleRatio: 1}\n")
	f.api(request("GET", "/", "", "Traceparent", sampled))
	text := f.admin(request("GET", "/metrics", "", "Accept", "application/openmetrics-text")).Body.String()
	if strings.Contains(text, "trace_id") {
		t.Errorf("the metrics are %s", text)
	}
}

func TestARelayPropagatesItsTraceToTheUpstream(t *testing.T) {
	f, receiver := traced(t, 0, "")
	server := httptest.NewServer(f.API())
	defer server.Close()
	r := request("GET", server.URL+"/api/relay", "", "Traceparent", sampled, "Baggage", "who=me", "X-Request-Id", "r-1")
	r.RequestURI = ""
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	got := decode(t, response.Body)
	_ = response.Body.Close()
	if response.StatusCode != 200 || got["status"] != 200.0 || !strings.Contains(got["body"].(string), `"version":"1.2.3"`) {
		t.Errorf("the response is %d %v", response.StatusCode, got)
	}
	f.spans(receiver)
	outer, out, inner := receiver.Span("GET /api/relay"), receiver.Span("GET"), receiver.Span("GET /version")
	if outer.Parent != callerSpan || out.Parent != outer.SpanID || inner.Parent != out.SpanID ||
		inner.TraceID != callerTrace || out.Kind != tracepb.Span_SPAN_KIND_CLIENT {
		t.Errorf("the spans are %+v", receiver.Spans())
	}
	expectAll(t, out.Attributes, map[string]any{
		"http.request.method": "GET", "http.response.status_code": int64(200), "server.address": "127.0.0.1",
		"url.full": server.URL + "/version", "network.protocol.version": "1.1",
	})
	if strings.Count(f.log.String(), `"request_id":"r-1"`) != 2 {
		t.Errorf("the log is %s", f.log)
	}
}

func TestAnUnreachableReceiverDoesNotDelayRequests(t *testing.T) {
	receiver := httptest.NewServer(nil)
	receiver.Close()
	silent := make(chan struct{})
	stuck := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer stuck.Close()
	defer close(silent)
	for name, url := range map[string]string{"refused": receiver.URL, "stuck": stuck.URL} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
			f := newFixture(t, "tracing: {sampleRatio: 1}\nlogLevel: error\n")
			api := f.API()
			const requests = 5000 // more than the queue holds
			start := time.Now()
			for range requests {
				f.expect(serve(api, request("GET", "/", "")), 200)
			}
			// Less than exportTimeout, which a blocked request would take at least.
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("%d requests took %s", requests, took)
			}
			if got := f.metric("beacon_trace_spans_total"); got != fmt.Sprintf("beacon_trace_spans_total %d\n", requests) {
				t.Errorf("the metrics are %s", got)
			}
			start = time.Now()
			_ = f.tracing.Shutdown(t.Context())
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("the shutdown took %s", took)
			}
		})
	}
}
