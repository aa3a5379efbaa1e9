package server

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
)

var (
	// https://www.w3.org/TR/trace-context/#traceparent-header: version, trace id, parent, flags;
	// later versions may append fields.
	traceparent = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$`)
	requestID   = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
)

// traceID returns the id of the trace a request belongs to. Without a valid traceparent a new one
// begins here.
func traceID(r *http.Request) string {
	m := traceparent.FindStringSubmatch(r.Header.Get("Traceparent"))
	if m != nil && m[1] != "ff" && (m[1] != "00" || m[4] == "") &&
		strings.Trim(m[2], "0") != "" && strings.Trim(m[3], "0") != "" {
		return m[2]
	}
	var id [16]byte
	// crypto/rand never returns an error: it ends the process instead.
	_, _ = rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// requestIDOf returns the client's X-Request-Id where it is fit to be logged, or the trace id.
func requestIDOf(r *http.Request, trace string) string {
	if id := r.Header.Get("X-Request-Id"); requestID.MatchString(id) {
		return id
	}
	return trace
}
