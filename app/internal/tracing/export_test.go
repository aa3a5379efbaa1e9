package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"beacon/internal/config"
	"beacon/internal/identity"
	"beacon/internal/metrics"
	"beacon/internal/otlptest"
)

var id = identity.Identity{Service: "beacon", Version: "1.2.3", Track: "stable", Pod: "host-1"}

// exportSpan exports one span to a receiver.
func exportSpan(t *testing.T, receiver string) (*metrics.Metrics, error) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver)
	m := metrics.New()
	traces, err := New(id, config.Tracing{SampleRatio: 1}, slog.New(slog.DiscardHandler), m)
	if err != nil {
		t.Fatal(err)
	}
	handler := traces.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	return m, traces.Shutdown(context.Background())
}

func TestAnExportIsRetriedAfterANetworkErrorOrARetryableStatus(t *testing.T) {
	receiver := otlptest.New(t, otlptest.CloseConnection, 503, 429)
	m, err := exportSpan(t, receiver.URL+"/")
	if err != nil || len(receiver.Spans()) != 1 || receiver.Requests() != 4 {
		t.Errorf("got %d spans in %d requests, error %v, want 1 span in 4 requests", len(receiver.Spans()), receiver.Requests(), err)
	}
	if exported := testutil.ToFloat64(m.SpansExported.WithLabelValues("success")); exported != 1 {
		t.Errorf("%v spans are counted as exported", exported)
	}
}

func TestRejectedSpansAreCountedAsFailures(t *testing.T) {
	receiver := otlptest.New(t, 400)
	m, err := exportSpan(t, receiver.URL)
	if err != nil || receiver.Requests() != 1 {
		t.Errorf("got %d requests, error %v, want 1 request", receiver.Requests(), err)
	}
	if lost := testutil.ToFloat64(m.SpansExported.WithLabelValues("failure")); lost != 1 {
		t.Errorf("%v spans are counted as failures", lost)
	}
}

func TestTheExporterDoesNotFollowRedirects(t *testing.T) {
	other := otlptest.New(t)
	server := httptest.NewServer(http.RedirectHandler(other.URL+"/v1/traces", http.StatusPermanentRedirect))
	defer server.Close()
	if _, err := exportSpan(t, server.URL); err != nil || other.Requests() != 0 {
		t.Errorf("got %d requests after the redirect, error %v, want 0", other.Requests(), err)
	}
}

func TestOutsideKubernetesTheResourceHasNoKubernetesAttributes(t *testing.T) {
	receiver := otlptest.New(t)
	if _, err := exportSpan(t, receiver.URL); err != nil {
		t.Fatal(err)
	}
	resource := fmt.Sprint(receiver.Span("GET").Resource)
	if strings.Contains(resource, "k8s") || !strings.Contains(resource, "service.instance.id:host-1") {
		t.Errorf("the resource is %s", resource)
	}
}

// stubExporter is an exporter that returns err.
type stubExporter struct{ err error }

func (s *stubExporter) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return s.err }
func (s *stubExporter) Shutdown(context.Context) error                        { return nil }

func TestAnOutageIsLoggedOnceAMinuteAndWhenItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		next := &stubExporter{errors.New("no route")}
		r := &exporter{
			SpanExporter: next,
			log:          slog.New(slog.NewTextHandler(&out, nil)),
			exported:     metrics.New().SpansExported,
		}
		spans := tracetest.SpanStubs{{Name: "a"}, {Name: "b"}}.Snapshots()
		export := func() {
			if err := r.ExportSpans(t.Context(), spans); err != nil {
				t.Error(err)
			}
		}
		// 2 spans each second for 100 seconds.
		for range 100 {
			export()
			time.Sleep(time.Second)
		}
		next.err = nil
		export()
		export()
		var got []string
		for line := range strings.Lines(out.String()) {
			_, line, _ = strings.Cut(line, " ")
			got = append(got, strings.TrimSpace(line))
		}
		want := []string{
			`level=WARN msg="trace export failed" error="no route" spans_lost=2`,
			`level=WARN msg="trace export failed" error="no route" spans_lost=122`,
			`level=INFO msg="trace export recovered" spans_lost=200`,
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got log lines %q, want %q", got, want)
		}
		if lost := testutil.ToFloat64(r.exported.WithLabelValues("failure")); lost != 200 {
			t.Errorf("%v spans are counted as failures", lost)
		}
	})
}
