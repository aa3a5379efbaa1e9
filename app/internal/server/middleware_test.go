package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestARequestIsCountedByRoute(t *testing.T) {
	f := newFixture(t, "")
	for _, target := range []string{"/", "/api/v1/notes/a", "/api/v1/notes/b", "/api/v1/work?iterations=1"} {
		f.api(request("GET", target, ""))
	}
	f.api(request("HEAD", "/", ""))
	want := `http_requests_total{method="GET",path="/",status="200"} 1
http_requests_total{method="GET",path="/api/v1/notes/{id}",status="404"} 2
http_requests_total{method="GET",path="/api/v1/work",status="200"} 1
http_requests_total{method="HEAD",path="/",status="200"} 1
`
	if got := f.metric("http_requests_total"); got != want {
		t.Errorf("the metrics are\n%s", got)
	}
}

func TestClientsCannotAddSeries(t *testing.T) {
	f := newFixture(t, "")
	for _, target := range []string{"/a", "/b", "/api/v1/notes/x/y", "/admin.php", "/%00", "/metrics", "/faults"} {
		for _, method := range []string{"BREW", "LOOT"} {
			f.api(request(method, target, ""))
		}
		f.api(request("GET", target, ""))
	}
	want := `http_requests_total{method="GET",path="unmatched",status="404"} 7
http_requests_total{method="other",path="unmatched",status="404"} 14
`
	if got := f.metric("http_requests_total"); got != want {
		t.Errorf("the metrics are\n%s", got)
	}
}

func TestProbesAreNeitherCountedNorLogged(t *testing.T) {
	f := newFixture(t, "")
	f.expect(f.api(request("GET", "/healthz", "")), 200)
	f.expect(f.api(request("GET", "/ready", "")), 200)
	if got := f.metric("http_requests_total") + f.log.String(); got != "" {
		t.Errorf("logged or counted is %s", got)
	}
}

func TestRequestsInFlightAreCounted(t *testing.T) {
	f := newFixture(t, "")
	during := ""
	h := f.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { during = f.metric("http_requests_in_flight") }))
	serve(h, request("GET", "/", ""))
	if after := f.metric("http_requests_in_flight"); during != "http_requests_in_flight 1\n" || after != "http_requests_in_flight 0\n" {
		t.Errorf("during %s, after %s", during, after)
	}
}

func TestAPanicReturns500AndIsCountedAndLogged(t *testing.T) {
	f := newFixture(t, "")
	h := f.identify(f.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("inner secret") })))
	w := serve(h, request("GET", "/", ""))
	f.expect(w, 500, "internal error")
	if strings.Contains(w.Body.String(), "inner") {
		t.Errorf("the client gets %s", w.Body)
	}
	if got := f.metric("beacon_panics_total") + f.metric("http_requests_total"); got !=
		"beacon_panics_total 1\nhttp_requests_total{method=\"GET\",path=\"unmatched\",status=\"500\"} 1\n" {
		t.Errorf("the metrics are %s", got)
	}
	if !strings.Contains(f.log.String(), `"panic":"inner secret"`) || !strings.Contains(f.log.String(), "middleware_test.go") {
		t.Errorf("the log is %s", f.log)
	}
}

func TestAPanicAfterTheHeaderClosesTheConnectionAndIsCountedAs500(t *testing.T) {
	f := newFixture(t, "")
	server := httptest.NewServer(f.observe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		panic("oh")
	})))
	defer server.Close()
	response, err := http.Get(server.URL)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if err == nil {
		t.Error("the client got no error")
	}
	if got := f.metric("http_requests_total"); !strings.Contains(got, `status="500"} 1`) {
		t.Errorf("the metrics are %s", got)
	}
	if !strings.Contains(f.log.String(), `"level":"error","message":"request"`) || !strings.Contains(f.log.String(), `"status":500`) {
		t.Errorf("the log is %s", f.log)
	}
}

func TestTheLogLineOfARequestHasItsFields(t *testing.T) {
	f := newFixture(t, "")
	f.api(request("GET", "/api/v1/notes/x?q=1", "", "X-Request-Id", "r-1",
		"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
	want := regexp.MustCompile(`^{"timestamp":"[^"]+","level":"info","message":"request","service":"beacon",` +
		`"version":"1.2.3","track":"canary","trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"","method":"GET",` +
		`"path":"/api/v1/notes/x","status":404,"duration_ms":[0-9.]+,"request_id":"r-1"}\n$`)
	if !want.MatchString(f.log.String()) {
		t.Errorf("the log line is %s", f.log)
	}
}

func TestServerErrorsAreLoggedAsErrors(t *testing.T) {
	f := newFixture(t, "limits: {notes: 0}\n")
	f.api(request("POST", "/api/v1/notes", `{"text":"x"}`, "Content-Type", "application/json"))
	if !strings.Contains(f.log.String(), `"level":"error","message":"request"`) {
		t.Errorf("the log is %s", f.log)
	}
}

func TestSecretsOfARequestAreNotLogged(t *testing.T) {
	f := newFixture(t, "faults: {enabled: true}\n")
	secret := "s3cr3t"
	for _, target := range []string{"/?token=" + secret, "/api/v1/echo?key=" + secret, "/nowhere?" + secret} {
		for _, method := range []string{"GET", "POST"} {
			r := request(method, target, secret, "Authorization", "Bearer "+secret, "Cookie", secret,
				"X-Request-Id", secret+"\n", "Traceparent", secret, "User-Agent", secret)
			f.api(r)
		}
	}
	f.admin(request("PUT", "/faults", "{}", "Authorization", "Bearer "+secret))
	if strings.Contains(f.log.String(), secret) {
		t.Errorf("the log is %s", f.log)
	}
}

func TestAnyPathIsLoggedAsJSON(t *testing.T) {
	f := newFixture(t, "")
	f.api(request("GET", "/%0a%22%7b%e2%80%a8\\", ""))
	var line map[string]any
	if err := json.Unmarshal([]byte(f.log.String()), &line); err != nil || strings.Count(f.log.String(), "\n") != 1 {
		t.Errorf("%v: %s", err, f.log)
	}
}

func TestLongValuesOfARequestAreTruncatedInItsLogLine(t *testing.T) {
	f := newFixture(t, "")
	f.api(request(strings.Repeat("M", 1000), "/"+strings.Repeat("x", 30_000), "", "X-Request-Id", strings.Repeat("r", 30_000)))
	line := f.log.String()
	if len(line) > 1000 || !strings.Contains(line, `x… (30001 bytes)"`) || !strings.Contains(line, `M… (1000 bytes)"`) {
		t.Errorf("the log line has %d bytes: %.2000s", len(line), line)
	}
}

func TestLogLinesOfRequestsAreLimitedAndTheLossIsCounted(t *testing.T) {
	f := newFixture(t, "limits: {logLinesPerSecond: 2}\n")
	for range 100 {
		f.api(request("GET", "/", ""))
	}
	logged := strings.Count(f.log.String(), `"message":"request"`)
	dropped := f.metric("beacon_log_lines_dropped_total")
	if logged == 100 || dropped != fmt.Sprintf("beacon_log_lines_dropped_total %d\n", 100-logged) {
		t.Errorf("%d lines are logged, %s", logged, dropped)
	}
}

func TestOnlyAValidRequestIDIsKept(t *testing.T) {
	f := newFixture(t, "")
	for id, kept := range map[string]bool{
		"abc-1.2_3:4": true, strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false, "a b": false, `a"b`: false, "": false,
	} {
		w := f.api(request("GET", "/", "", "X-Request-Id", id))
		if got := w.Header().Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("%q gives %q", id, got)
		}
	}
}
