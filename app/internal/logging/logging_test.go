package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"beacon/internal/identity"
)

var id = identity.Identity{Service: "beacon", Version: "1.2.3", Track: "canary"}

func line(t *testing.T, out *bytes.Buffer) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(out.Bytes(), &fields); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return fields
}

func TestALineHasTheFieldsInTheirOrder(t *testing.T) {
	var out bytes.Buffer
	ctx := inSpan(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	New(&out, id, slog.LevelInfo).WarnContext(ctx, "a \"quoted\"\nmessage", "status", 200)
	want := regexp.MustCompile(`^{"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"warn",` +
		`"message":"a \\"quoted\\"\\nmessage","service":"beacon","version":"1.2.3","track":"canary",` +
		`"trace_id":"01000000000000000000000000000000","span_id":"0200000000000000","status":200}\n$`)
	if !want.MatchString(out.String()) {
		t.Errorf("the log line is %s", &out)
	}
}

func TestTheTimestampIsTheTimeInUTC(t *testing.T) {
	var out bytes.Buffer
	before := time.Now().Add(-time.Millisecond)
	New(&out, id, slog.LevelInfo).Info("now")
	stamp, err := time.Parse(time.RFC3339, line(t, &out)["timestamp"].(string))
	if err != nil || stamp.Before(before) || stamp.After(time.Now()) || stamp.Location() != time.UTC {
		t.Errorf("%v, %v", stamp, err)
	}
}

func TestALineOutsideARequestHasEmptyIDs(t *testing.T) {
	var out bytes.Buffer
	New(&out, id, slog.LevelInfo).Info("started")
	for _, name := range []string{"trace_id", "span_id"} {
		if got, found := line(t, &out)[name]; !found || got != "" {
			t.Errorf("%s is %v", name, got)
		}
	}
}

func TestTheSpanIDOfTheCallerIsNotLogged(t *testing.T) {
	var out bytes.Buffer
	ctx := inSpan(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true})
	New(&out, id, slog.LevelInfo).InfoContext(ctx, "now")
	if got := line(t, &out); got["span_id"] != "" || got["trace_id"] != "01000000000000000000000000000000" {
		t.Errorf("the log line is %s", &out)
	}
}

func inSpan(span trace.SpanContextConfig) context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(span))
}

func TestTheLevelCanChange(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	log := New(&out, id, level).With("part", "a")
	log.Debug("one")
	level.Set(slog.LevelDebug)
	log.Debug("two")
	level.Set(slog.LevelError)
	log.Warn("three")
	if got := line(t, &out); got["message"] != "two" || got["level"] != "debug" || got["part"] != "a" {
		t.Errorf("logged is %s", &out)
	}
}

func TestAttributesOfALineAreNotInTheNextOne(t *testing.T) {
	var out bytes.Buffer
	log := New(&out, id, slog.LevelInfo)
	log.InfoContext(inSpan(trace.SpanContextConfig{TraceID: trace.TraceID{0xab}}), "one", "a", 1)
	log.Info("two")
	if last := strings.Split(out.String(), "\n")[1]; strings.Contains(last, "ab00") || strings.Contains(last, `"a"`) {
		t.Errorf("the second line is %s", last)
	}
}
