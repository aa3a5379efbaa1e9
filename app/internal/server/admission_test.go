package server

import (
	"io"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// echoing starts a request to /api/v1/echo and returns once the service has read a byte of its body. The
// function that it returns ends the body and returns the response.
func (f fixture) echoing(body string) func() *httptest.ResponseRecorder {
	f.t.Helper()
	reader, writer := io.Pipe()
	r := request("POST", "/api/v1/echo", "")
	r.Body, r.ContentLength = reader, -1
	w, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		f.API().ServeHTTP(w, r)
		// A refused request does not read its body.
		_ = reader.Close()
	}()
	_, _ = io.WriteString(writer, body)
	return func() *httptest.ResponseRecorder {
		_ = writer.Close()
		<-done
		return w
	}
}

func TestARequestAboveTheLimitIsRefusedUntilAnotherEnds(t *testing.T) {
	f := newFixture(t, "limits: {requestsInFlight: 1}\n")
	first := f.echoing("x")
	w := f.api(request("GET", "/", ""))
	f.expect(w, 503, "too many requests in flight")
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("the header is %v", w.Header())
	}
	f.expect(f.api(request("GET", "/healthz", "")), 200)
	f.expect(f.api(request("GET", "/ready", "")), 200)
	f.expect(first(), 200, `"body":"x"`)
	f.expect(f.api(request("GET", "/", "")), 200)
	want := `beacon_requests_refused_total{reason="body_bytes"} 0
beacon_requests_refused_total{reason="requests"} 1
`
	if got := f.metric("beacon_requests_refused_total"); got != want {
		t.Errorf("the metrics are\n%s", got)
	}
	if got := f.metric("http_requests_total"); !strings.Contains(got, `path="/",status="503"} 1`) {
		t.Errorf("the metrics are\n%s", got)
	}
}

func TestBodiesAboveTheLimitAreRefusedUntilAnotherEnds(t *testing.T) {
	f := newFixture(t, "limits: {bodyBytesInFlight: 100}\n")
	first := f.echoing(strings.Repeat("x", 60))
	for f.admission.bodyBytes.Load() == 0 {
		// The body is counted once it is read.
		runtime.Gosched()
	}
	if got := f.metric("beacon_request_body_bytes"); got != "beacon_request_body_bytes 60\n" {
		t.Errorf("the metrics are %s", got)
	}
	f.expect(f.api(request("POST", "/api/v1/echo", strings.Repeat("x", 41))), 503)
	f.expect(f.echoing(strings.Repeat("x", 41))(), 503)
	f.expect(f.api(request("POST", "/api/v1/echo", strings.Repeat("x", 40))), 200)
	f.expect(first(), 200, `"bytes":60`)
	f.expect(f.api(request("POST", "/api/v1/echo", strings.Repeat("x", 100))), 200)
	want := `beacon_requests_refused_total{reason="body_bytes"} 2
beacon_requests_refused_total{reason="requests"} 0
`
	if got := f.metric("beacon_requests_refused_total"); got != want {
		t.Errorf("the metrics are\n%s", got)
	}
}

func TestTheDefaultLimitsAreFractionsOfTheMemoryLimit(t *testing.T) {
	f := newFixture(t, "")
	f.admission.memory = 460 << 20
	if requests, bytes := f.maxRequests(), f.maxBodyBytes(); requests != 1840 || bytes != 115<<20 {
		t.Errorf("%d requests, %d bytes", requests, bytes)
	}
}
