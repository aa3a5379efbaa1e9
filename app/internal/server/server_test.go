package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"beacon/internal/config"
	"beacon/internal/faults"
	"beacon/internal/identity"
	"beacon/internal/logging"
	"beacon/internal/metrics"
	"beacon/internal/tracing"
)

// A fixture is a server whose handlers are called without a network.
type fixture struct {
	*Server
	t   *testing.T
	log *buffer
}

type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

func newFixture(t *testing.T, configuration string) fixture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := config.Open([]string{"BEACON_CONFIG=" + path})
	if err != nil {
		t.Fatal(err)
	}
	out := new(buffer)
	id := identity.Identity{Service: "beacon", Version: "1.2.3", Track: "canary", Pod: "pod-1", Namespace: "ns"}
	log := logging.New(out, id, slog.LevelInfo)
	m := metrics.New()
	injector := faults.New(log, m, func(int) {})
	injector.Configure(store.Get().Faults)
	traces, err := tracing.New(id, store.Get().Tracing, log, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = traces.Shutdown(context.Background()) })
	return fixture{New(id, store, log, m, injector, traces), t, out}
}

func request(method, target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (f fixture) api(r *http.Request) *httptest.ResponseRecorder   { return serve(f.API(), r) }
func (f fixture) admin(r *http.Request) *httptest.ResponseRecorder { return serve(f.Admin(), r) }

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// metric returns the lines of /metrics with a prefix.
func (f fixture) metric(name string) string {
	var found []string
	for line := range strings.Lines(f.admin(request("GET", "/metrics", "")).Body.String()) {
		if strings.HasPrefix(line, name) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

func decode(t *testing.T, body io.Reader) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.NewDecoder(body).Decode(&fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

func (f fixture) expect(w *httptest.ResponseRecorder, status int, contains ...string) {
	f.t.Helper()
	if w.Code != status {
		f.t.Errorf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	for _, text := range contains {
		if !strings.Contains(w.Body.String(), text) {
			f.t.Errorf("%q is not in %s", text, w.Body)
		}
	}
}
