package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// relayTimeout bounds the upstream request, including the body of its response.
	relayTimeout = 5 * time.Second
	// maxRelayed is the maximum size of the relayed body, in bytes.
	maxRelayed = 64 << 10
	// hopsHeader counts the relays that led to a request.
	hopsHeader = "X-Relay-Hops"
	// maxHops bounds loops, in which the upstream relays to this service.
	maxHops = 4
)

// upstreamClient returns a client that does not follow redirects: they are relayed.
func (s *Server) upstreamClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	transport.MaxResponseHeaderBytes = 64 << 10
	return &http.Client{
		Transport: s.tracing.Transport(transport),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// relay requests the upstream and responds with its status and body.
func (s *Server) relay(w http.ResponseWriter, r *http.Request) {
	hops, err := hopsOf(r)
	if err != nil {
		problem(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if hops >= maxHops {
		problem(w, r, http.StatusLoopDetected, fmt.Sprintf("the request was relayed %d times", hops))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), relayTimeout)
	defer cancel()
	start := time.Now()
	status, body, err := s.requestUpstream(ctx, s.upstreamURL(r), http.Header{
		hopsHeader:     {strconv.Itoa(hops + 1)},
		"User-Agent":   {s.identity.Service + "/" + s.identity.Version},
		"X-Request-Id": w.Header().Values("X-Request-Id"),
	})
	switch {
	case err == nil && status < http.StatusInternalServerError:
		duration := float64(time.Since(start).Microseconds()) / 1000
		stream(w, func(out *bufio.Writer) {
			_, _ = out.WriteString(`{"body":`)
			writeString(out, bytes.NewReader(body[:min(len(body), maxRelayed)]))
			_, _ = fmt.Fprintf(out, `,"duration_ms":%g,"status":%d,"truncated":%t}`+"\n",
				duration, status, len(body) > maxRelayed)
		})
	case err == nil:
		problem(w, r, http.StatusBadGateway, fmt.Sprintf("the upstream responded with %d", status))
	case r.Context().Err() != nil:
		panic(http.ErrAbortHandler)
	case ctx.Err() != nil:
		problem(w, r, http.StatusGatewayTimeout,
			fmt.Sprintf("the upstream did not respond within %s", relayTimeout))
	default:
		s.requestLog.WarnContext(ctx, "upstream request failed", "error", withoutURL(err).Error())
		problem(w, r, http.StatusBadGateway, "the upstream is unreachable")
	}
}

// requestUpstream returns the status and the first maxRelayed+1 bytes of the body.
func (s *Server) requestUpstream(ctx context.Context, url string, header http.Header) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	request.Header = header
	response, err := s.upstream.Do(request)
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRelayed+1))
	return response.StatusCode, body, errors.Join(err, response.Body.Close())
}

// upstreamURL returns the configured upstream, or /version on the address that received the request.
func (s *Server) upstreamURL(r *http.Request) string {
	if upstream := s.config.Get().Upstream; upstream != "" {
		return upstream
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	return "http://" + local.String() + "/version"
}

func hopsOf(r *http.Request) (int, error) {
	raw := r.Header.Get(hopsHeader)
	if raw == "" {
		return 0, nil
	}
	hops, err := strconv.ParseUint(raw, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s: %.40q is not allowed (allowed: an integer from 0 to 65535)", hopsHeader, raw)
	}
	return int(hops), nil
}

// withoutURL removes the URL from an error: its query may be secret.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
