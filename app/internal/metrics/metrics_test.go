package metrics

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	response := httptest.NewRecorder()
	m.Handler().ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if response.Code != http.StatusOK {
		t.Fatalf("status %d", response.Code)
	}
	return response.Body.String()
}

func expect(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, line := range want {
		if !strings.Contains(got, line+"\n") && !strings.Contains(got, line+" ") {
			t.Errorf("no %s in\n%s", line, got)
		}
	}
}

func TestARequestIsCountedAndTimed(t *testing.T) {
	m := New()
	m.Observe("GET", "/api/v1/notes/{id}", 404, 90*time.Millisecond, "")
	labels := `{method="GET",path="/api/v1/notes/{id}",status="404"`
	expect(t, scrape(t, m),
		`http_requests_total`+labels+`} 1`,
		`http_request_duration_seconds_bucket`+labels+`,le="0.08"} 0`,
		`http_request_duration_seconds_bucket`+labels+`,le="0.1"} 1`,
		`http_request_duration_seconds_sum`+labels+`} 0.09`,
		`http_request_duration_seconds_count`+labels+`} 1`)
}

func TestTheDurationOfATracedRequestHasAnExemplar(t *testing.T) {
	m := New()
	m.Observe("GET", "/traced", 200, 90*time.Millisecond, "0af7651916cd43dd8448eb211c80319c")
	m.Observe("GET", "/untraced", 200, 90*time.Millisecond, "")
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	response := httptest.NewRecorder()
	m.Handler().ServeHTTP(response, request)
	text := response.Body.String()
	if got := response.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text") ||
		!strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("%s is no OpenMetrics: %s", got, text)
	}
	expect(t, text,
		`http_requests_total{method="GET",path="/traced",status="200"} 1.0`,
		`http_request_duration_seconds_bucket{method="GET",path="/traced",status="200",le="0.1"} 1 `+
			`# {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.09`,
		`http_request_duration_seconds_bucket{method="GET",path="/untraced",status="200",le="0.1"} 1`)
	if strings.Count(text, "trace_id") != 1 || strings.Contains(scrape(t, m), "trace_id") {
		t.Errorf("another exemplar is in %s", text)
	}
}

func TestAFailedReloadIsReportedUntilTheNextSuccess(t *testing.T) {
	m := New()
	expect(t, scrape(t, m), `beacon_config_last_reload_successful 1`,
		`beacon_config_reloads_total{result="failure"} 0`)
	m.Reloaded(errors.New("bad"))
	expect(t, scrape(t, m), `beacon_config_last_reload_successful 0`,
		`beacon_config_reloads_total{result="failure"} 1`)
	m.Reloaded(nil)
	expect(t, scrape(t, m), `beacon_config_last_reload_successful 1`,
		`beacon_config_reloads_total{result="success"} 1`)
}

func TestBuildRuntimeAndProcessMetricsAreExposed(t *testing.T) {
	got := scrape(t, New())
	expect(t, got, `go_goroutines`, `process_start_time_seconds`)
	if !strings.Contains(got, `beacon_build_info{goversion="go1.`) ||
		!strings.Contains(got, `revision="unknown",version="dev"} 1`) {
		t.Errorf("no build info in\n%s", got)
	}
}

func TestTheMetricsPassPromlint(t *testing.T) {
	m := New()
	m.Observe("GET", "/", 200, time.Millisecond, "")
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
