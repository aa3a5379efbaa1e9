package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"beacon/internal/notes"
)

func TestTheRootDescribesTheProcess(t *testing.T) {
	f := newFixture(t, "message: Good day\n")
	w := f.api(request("GET", "/", ""))
	f.expect(w, 200)
	want := `{"service":"beacon","version":"1.2.3","track":"canary","pod":"pod-1","namespace":"ns","message":"Good day"}`
	if got := strings.TrimSpace(w.Body.String()); got != want {
		t.Errorf("the response is %s", got)
	}
}

func TestEachResponseHasTheVersionThePodAndTheRequestID(t *testing.T) {
	f := newFixture(t, "")
	for _, target := range []string{"/", "/version", "/healthz", "/ready", "/nowhere", "//x", "/api/v1/work?iterations=x"} {
		w := f.api(request("GET", target, ""))
		if h := w.Header(); h.Get("X-Version") != "1.2.3" || h.Get("X-Pod") != "pod-1" || h.Get("X-Request-Id") == "" {
			t.Errorf("%s has the header %v", target, w.Header())
		}
	}
}

func TestErrorsAreProblemDetails(t *testing.T) {
	f := newFixture(t, "limits: {bodyBytes: 100, notes: 0, workIterations: 10}\n")
	for _, test := range []struct {
		method, target, body, contentType string
		status                            int
		detail                            string
	}{
		{"GET", "/nowhere", "", "", 404, "no such path"},
		{"GET", "/api/v1/notes/none", "", "", 404, "note not found"},
		{"PUT", "/api/v1/notes/none", `{"text":"x"}`, "application/json", 404, "note not found"},
		{"DELETE", "/api/v1/notes/none", "", "", 404, "note not found"},
		{"DELETE", "/", "", "", 405, "GET, HEAD"},
		{"BREW", "/api/v1/notes", "", "", 405, "GET, HEAD, POST"},
		{"GET", "/api/v1/work?iterations=11", "", "", 400, `iterations: "11" is not allowed (allowed: an integer from 1 to 10)`},
		{"GET", "/api/v1/work?iterations=-1", "", "", 400, "an integer"},
		{"GET", "/api/v1/notes?limit=0", "", "", 400, "limit"},
		{"GET", "/api/v1/notes?offset=x", "", "", 400, "offset"},
		{"POST", "/api/v1/notes", `{"text":"x"}`, "", 415, "application/json"},
		{"POST", "/api/v1/notes", `{"text":"x"}`, "text/plain", 415, "application/json"},
		{"POST", "/api/v1/notes", `{"text":`, "application/json", 400, "cannot be read"},
		{"POST", "/api/v1/notes", `{"txt":"x"}`, "application/json", 400, "unknown field"},
		{"POST", "/api/v1/notes", `{"text":"x"} {}`, "application/json", 400, "one JSON object"},
		{"POST", "/api/v1/notes", `{"text":""}`, "application/json; charset=utf-8", 422, "text has 0 bytes"},
		{"POST", "/api/v1/notes", `{"text":"x"}`, "application/json", 507, "maximum number"},
		{"POST", "/api/v1/notes", `{"text":"` + strings.Repeat("x", 100) + `"}`, "application/json", 413, "longer than 100 bytes"},
		{"POST", "/api/v1/echo", strings.Repeat("x", 101), "", 413, "longer than 100 bytes"},
	} {
		t.Run(fmt.Sprintf("%s %s %d", test.method, test.target, test.status), func(t *testing.T) {
			w := f.api(request(test.method, test.target, test.body, "Content-Type", test.contentType))
			got := decode(t, w.Body)
			if w.Code != test.status || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("the response is %d %v", w.Code, w.Header())
			}
			if got["status"] != float64(test.status) || got["title"] != http.StatusText(test.status) ||
				got["trace_id"] == "" || !strings.Contains(got["detail"].(string), test.detail) {
				t.Errorf("the problem is %v", got)
			}
		})
	}
}

func TestAMethodThatIsNotAllowedReturnsTheAllowedOnes(t *testing.T) {
	w := newFixture(t, "").api(request("PATCH", "/api/v1/notes/x", ""))
	if got := w.Header().Get("Allow"); w.Code != 405 || got != "DELETE, GET, HEAD, PUT" {
		t.Errorf("%d, Allow: %s", w.Code, got)
	}
}

func TestANoteIsCreatedReadUpdatedAndDeleted(t *testing.T) {
	f := newFixture(t, "")
	json := []string{"Content-Type", "application/json"}
	w := f.api(request("POST", "/api/v1/notes", `{"text":"one"}`, json...))
	f.expect(w, 201, `"text":"one"`)
	location := w.Header().Get("Location")
	f.expect(f.api(request("GET", location, "")), 200, `"text":"one"`)
	f.expect(f.api(request("PUT", location, `{"text":"two"}`, json...)), 200, `"text":"two"`)
	f.expect(f.api(request("GET", "/api/v1/notes", "")), 200, `"text":"two"`, `"total":1`)
	f.expect(f.api(request("DELETE", location, "")), 204)
	f.expect(f.api(request("GET", location, "")), 404)
	f.expect(f.api(request("GET", "/api/v1/notes", "")), 200, `{"notes":[],"total":0}`)
}

func TestTheLengthOfANoteIsLimited(t *testing.T) {
	f := newFixture(t, "")
	for length, want := range map[int]int{notes.MaxText: 201, notes.MaxText + 1: 422} {
		body := `{"text":"` + strings.Repeat("x", length) + `"}`
		f.expect(f.api(request("POST", "/api/v1/notes", body, "Content-Type", "application/json")), want)
	}
}

func TestEchoReturnsTheBody(t *testing.T) {
	f := newFixture(t, "")
	w := f.api(request("POST", "/api/v1/echo", "a\"b<c>", "Content-Type", "text/plain", "Authorization", "secret"))
	f.expect(w, 200)
	got := decode(t, w.Body)
	if got["body"] != `a"b<c>` || got["bytes"] != 6.0 || got["content_type"] != "text/plain" || len(got) != 3 {
		t.Errorf("the echo is %v", got)
	}
}

func TestWorkRunsTheRequestedIterations(t *testing.T) {
	f := newFixture(t, "")
	// The SHA-256 of 32 zero bytes.
	f.expect(f.api(request("GET", "/api/v1/work?iterations=1", "")), 200, `"iterations":1}`,
		"66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925")
	f.expect(f.api(request("GET", "/api/v1/work", "")), 200, `"iterations":10000`)
}

func TestTheDefaultIterationsDoNotExceedTheLimit(t *testing.T) {
	f := newFixture(t, "limits: {workIterations: 7}\n")
	f.expect(f.api(request("GET", "/api/v1/work", "")), 200, `"iterations":7`)
}
