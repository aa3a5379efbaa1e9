package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"beacon/internal/config"
)

func TestBothPortsServeTheProbes(t *testing.T) {
	f := newFixture(t, "")
	for _, target := range []string{"/healthz", "/ready"} {
		f.expect(f.api(request("GET", target, "")), 200)
		f.expect(f.admin(request("GET", target, "")), 200)
	}
}

func TestTheAPIPortDoesNotServeAdminEndpoints(t *testing.T) {
	f := newFixture(t, "faults: {enabled: true}\n")
	for _, target := range []string{"/metrics", "/faults"} {
		f.expect(f.api(request("GET", target, "")), 404)
	}
}

func TestADrainingServerIsLiveButNotReady(t *testing.T) {
	f := newFixture(t, "")
	f.draining.Store(true)
	f.expect(f.api(request("GET", "/ready", "")), 503, "draining")
	f.expect(f.api(request("GET", "/healthz", "")), 200)
	w := f.api(request("GET", "/", ""))
	f.expect(w, 200)
	if got := w.Header().Get("Connection"); got != "close" {
		t.Errorf("Connection: %s", got)
	}
}

func TestFaultsAreSetReadAndCleared(t *testing.T) {
	f := newFixture(t, "faults: {enabled: true, errorStatus: 501}\n")
	f.expect(f.admin(request("GET", "/faults", "")), 200, `"source":"config"`, `"errorRate":0`, `"errorStatus":501`)
	f.expect(f.admin(request("PUT", "/faults", `{"errorRate": 1, "errorStatus": 503, "notReady": true}`)), 200,
		`"source":"api"`, `"errorStatus":503`)
	f.expect(f.api(request("GET", "/", "")), 503, "injected fault")
	f.expect(f.api(request("GET", "/healthz", "")), 200)
	f.expect(f.api(request("GET", "/ready", "")), 503, "faults.notReady")
	if got := f.metric("http_requests_total") + f.metric("beacon_faults_injected_total{kind=\"error\"}") + f.metric("beacon_ready"); got !=
		`http_requests_total{method="GET",path="/",status="503"} 1
beacon_faults_injected_total{kind="error"} 1
beacon_ready 0
` {
		t.Errorf("the metrics are %s", got)
	}
	f.expect(f.admin(request("DELETE", "/faults", "")), 200, `"source":"config"`)
	f.expect(f.api(request("GET", "/", "")), 200)
	f.expect(f.api(request("GET", "/ready", "")), 200)
	if got := f.metric("beacon_ready"); got != "beacon_ready 1\n" {
		t.Errorf("the gauge is %s", got)
	}
}

func TestAnInvalidFaultSetIsRejectedAndChangesNothing(t *testing.T) {
	f := newFixture(t, "faults: {enabled: true}\n")
	f.admin(request("PUT", "/faults", `{"notReady": true}`))
	f.expect(f.admin(request("PUT", "/faults", `{"errorRate": 2, "speed": 1}`)), 422,
		"faults.errorRate: 2 is not allowed (allowed: a number from 0 to 1)",
		"faults.speed: this key is not allowed (allowed: errorRate, errorStatus")
	f.expect(f.admin(request("PUT", "/faults", strings.Repeat(" ", maxFaultsBody+1))), 413)
	f.expect(f.admin(request("GET", "/faults", "")), 200, `"notReady":true`, `"errorRate":0`)
	f.expect(f.admin(request("POST", "/faults", "{}")), 405)
}

func TestDisabledFaultsAreForbidden(t *testing.T) {
	f := newFixture(t, "faults: {errorRate: 1}\n")
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		f.expect(f.admin(request(method, "/faults", `{"errorRate": 1}`)), 403, "faults.enabled is false")
	}
	f.expect(f.api(request("GET", "/", "")), 200)
}

func TestFaultsRequireTheTokenOfTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	f := newFixture(t, "faults: {enabled: true, tokenFile: "+file+"}\n")
	get := func(authorization string) int {
		return f.admin(request("GET", "/faults", "", "Authorization", authorization)).Code
	}
	if got := get("Bearer one"); got != 503 {
		t.Errorf("without a file status %d", got)
	}
	for _, step := range []struct {
		token, authorization string
		want                 int
	}{
		{"", "Bearer ", 503},
		{"one\n", "Bearer one", 200},
		{"one", "", 401},
		{"one", "Bearer two", 401},
		{"one", "one", 401},
		{"one", "Bearer one ", 401},
		{"two", "Bearer two", 200},
		{"two", "Bearer one", 401},
	} {
		if err := os.WriteFile(file, []byte(step.token), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := get(step.authorization); got != step.want {
			t.Errorf("token %q, Authorization %q: status %d, want %d", step.token, step.authorization, got, step.want)
		}
	}
}

func TestAReloadUpdatesFaultsAndReadinessAndIsLogged(t *testing.T) {
	f := newFixture(t, "")
	next := *f.config.Get()
	next.Faults.Enabled, next.Faults.Set.NotReady = true, true
	f.Reloaded(config.Change{Old: f.config.Get(), New: &next, Applied: []string{"faults.notReady"}, Restart: []string{"listen"}})
	f.expect(f.api(request("GET", "/ready", "")), 503)
	for _, want := range []string{`"message":"configuration reloaded"`, `"changed":["faults.notReady"]`, `"keys":["listen"]`} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("%s is not in %s", want, f.log)
		}
	}
	if got := f.metric("beacon_ready"); got != "beacon_ready 0\n" {
		t.Errorf("the gauge is %s", got)
	}
}

func TestAFailedReloadIsLoggedAndCounted(t *testing.T) {
	f := newFixture(t, "")
	_, err := config.Parse("f.yaml", []byte("drain: soon"))
	f.Reloaded(config.Change{Old: f.config.Get(), New: f.config.Get(), Err: err})
	if !strings.Contains(f.log.String(), `"level":"error"`) || !strings.Contains(f.log.String(), `drain: \"soon\" is not allowed`) {
		t.Errorf("the log is %s", f.log)
	}
	if got := f.metric("beacon_config_last_reload_successful"); got != "beacon_config_last_reload_successful 0\n" {
		t.Errorf("the gauge is %s", got)
	}
}
