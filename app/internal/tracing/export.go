package tracing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// uploader is the transport of OTLP over HTTP. That of the SDK, otlptracehttp, brings gRPC along:
// with it the program is half as large again.
type uploader struct {
	url    string
	client *http.Client
}

func newUploader(endpoint string) *uploader {
	return &uploader{
		url: strings.TrimSuffix(endpoint, "/") + "/v1/traces",
		client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
	}
}

func (u *uploader) Start(context.Context) error { return nil }

func (u *uploader) Stop(context.Context) error {
	u.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans, and sends them again until the context ends where the receiver may
// take them later.
func (u *uploader) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// On the wire this is the same as the receiver's ExportTraceServiceRequest.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	for pause := 250 * time.Millisecond; ; pause *= 2 {
		again, after, err := u.post(ctx, body)
		if err == nil || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(max(after, pause/2+rand.N(pause))):
		}
	}
}

// post tells, with an error, whether to try again and how long the receiver wants to be left alone.
func (u *uploader) post(ctx context.Context, body []byte) (again bool, after time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url, bytes.NewReader(body))
	if err != nil {
		return false, 0, err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := u.client.Do(request)
	if err != nil {
		return true, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	// Read to its end, the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode/100 == 2 {
		return false, 0, nil
	}
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout:
		again = true
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return again, time.Duration(seconds) * time.Second, fmt.Errorf("%s answered %s", u.url, response.Status)
}

// silence is how long an outage is not spoken of again.
const silence = time.Minute

// reporter counts what is exported and what is not, and logs an outage without flooding the log.
// The SDK never calls it twice at a time.
type reporter struct {
	sdk.SpanExporter
	log      *slog.Logger
	exported *prometheus.CounterVec

	lost   int
	logged time.Time
}

func (r *reporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := r.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		r.exported.WithLabelValues("success").Add(float64(len(spans)))
		if !r.logged.IsZero() {
			r.log.Info("traces are exported again", "spans_lost", r.lost)
			r.lost, r.logged = 0, time.Time{}
		}
		return nil
	}
	r.exported.WithLabelValues("failure").Add(float64(len(spans)))
	r.lost += len(spans)
	if time.Since(r.logged) >= silence {
		r.log.Warn("traces not exported", "error", err.Error(), "spans_lost", r.lost)
		r.logged = time.Now()
	}
	// What the SDK is told it would log by itself.
	return nil
}

// counter counts the spans to export: fewer come to the exporter where its queue was full.
type counter struct{ spans prometheus.Counter }

func (counter) OnStart(context.Context, sdk.ReadWriteSpan) {}
func (c counter) OnEnd(sdk.ReadOnlySpan)                   { c.spans.Inc() }
func (counter) Shutdown(context.Context) error             { return nil }
func (counter) ForceFlush(context.Context) error           { return nil }
