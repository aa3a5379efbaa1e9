package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// upstream returns a fixture whose upstream is a handler.
func upstream(t *testing.T, handler http.HandlerFunc) fixture {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newFixture(t, "upstream: "+server.URL+"/path?key=s3cr3t\n")
}

func TestARelayReturnsTheUpstreamsResponse(t *testing.T) {
	f := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/path?key=s3cr3t" || r.Header.Get("X-Request-Id") != "r-1" ||
			r.Header.Get("X-Relay-Hops") != "1" || r.Header.Get("User-Agent") != "beacon/1.2.3" ||
			r.Header.Get("Authorization") != "" || r.Header.Get("Baggage") != "who=me" ||
			r.Header.Get("Traceparent") != sampled {
			t.Errorf("the request is %s %v", r.URL, r.Header)
		}
		http.Error(w, "no", http.StatusNotFound)
	})
	w := f.api(request("GET", "/api/relay", "", "X-Request-Id", "r-1", "Authorization", "secret",
		"Baggage", "who=me", "Traceparent", sampled))
	f.expect(w, 200, `"status":404`, `"body":"no\n"`, `"truncated":false`)
}

func TestARelayDoesNotFollowRedirects(t *testing.T) {
	f := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/path" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/other", http.StatusFound)
	})
	f.expect(f.api(request("GET", "/api/relay", "")), 200, `"status":302`)
}

func TestARelayTruncatesALongBody(t *testing.T) {
	for length, truncated := range map[int]bool{maxRelayed: false, maxRelayed + 1: true} {
		f := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat("x", length)))
		})
		got := decode(t, f.api(request("GET", "/api/relay", "")).Body)
		if len(got["body"].(string)) != maxRelayed || got["truncated"] != truncated {
			t.Errorf("%d of %d bytes are relayed, truncated: %v", length, len(got["body"].(string)), got["truncated"])
		}
	}
}

func TestAFailingUpstreamIsABadGateway(t *testing.T) {
	f := upstream(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	f.expect(f.api(request("GET", "/api/relay", "")), 502, "the upstream responded with 503")
	f = upstream(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	w := f.api(request("GET", "/api/relay", ""))
	f.expect(w, 502, "the upstream is unreachable")
	if log := f.log.String(); !strings.Contains(log, `"message":"upstream request failed"`) || strings.Contains(log+w.Body.String(), "s3cr3t") {
		t.Errorf("the log is %s", log)
	}
}

func TestASlowUpstreamIsAGatewayTimeout(t *testing.T) {
	t.Parallel()
	requested := make(chan struct{})
	f := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		close(requested)
		<-r.Context().Done()
	})
	start := time.Now()
	f.expect(f.api(request("GET", "/api/relay", "")), 504, "within 5s")
	if took := time.Since(start); took < relayTimeout || took > 4*relayTimeout {
		t.Errorf("it took %s", took)
	}
	<-requested
}

func TestARelayIsCanceledWithItsRequest(t *testing.T) {
	ended := make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	f := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
		close(ended)
	})
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("the handler did not abort")
			}
		}()
		f.api(request("GET", "/api/relay", "").WithContext(ctx))
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the upstream request was not canceled")
	}
	if got := f.metric("http_requests_total"); !strings.Contains(got, `path="/api/relay",status="499"} 1`) {
		t.Errorf("the metrics are %s", got)
	}
}

func TestARelayLoopIsDetected(t *testing.T) {
	var requests atomic.Int32
	var server *httptest.Server
	var f fixture
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		f.API().ServeHTTP(w, r)
	}))
	defer server.Close()
	f = newFixture(t, "upstream: "+server.URL+"/api/relay\n")
	f.expect(f.api(request("GET", "/api/relay", "")), 502, "the upstream responded with 502")
	if n := requests.Load(); n != maxHops {
		t.Errorf("the upstream received %d requests", n)
	}
	f.expect(f.api(request("GET", "/api/relay", "", hopsHeader, strconv.Itoa(maxHops))), 508, "relayed 4 times")
	f.expect(f.api(request("GET", "/api/relay", "", hopsHeader, "-1")), 400, "X-Relay-Hops")
}
