package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const anyPorts = "listen: '127.0.0.1:0'\nadminListen: 'localhost:0'\ndrain: 0s\n"

var listening = regexp.MustCompile(`"message":"listening".*"port":"(\w+)","address":"([^"]+)"`)

// ports returns the base URLs of the ports that the server has logged, by name.
func (f fixture) ports() map[string]string {
	ports := map[string]string{}
	for _, m := range listening.FindAllStringSubmatch(f.log.String(), -1) {
		ports[m[1]] = "http://" + m[2]
	}
	return ports
}

// startServer starts a server and returns it, the base URLs of its ports by name, and a function that stops
// it.
func startServer(t *testing.T, configuration string, want int) (fixture, map[string]string, func()) {
	t.Helper()
	f := newFixture(t, anyPorts+configuration)
	f.profiling = "127.0.0.1:0"
	signals, ended := make(chan os.Signal, 1), make(chan error)
	go func() { ended <- f.Run(signals) }()
	stop := sync.OnceFunc(func() {
		signals <- syscall.SIGTERM
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ports := f.ports(); len(ports) >= want {
			return f, ports, stop
		}
	}
	t.Fatalf("got ports %v, want %d", f.ports(), want)
	return f, nil, stop
}

func read(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestProfilesAreServedOnTheProfilingPortOnly(t *testing.T) {
	// The duration of a profile may exceed timeouts.write.
	_, ports, _ := startServer(t, "profiling: true\ntimeouts: {write: 1s}\n", 3)
	for target, want := range map[string]string{
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/heap?debug=1":      "heap profile",
		"/debug/pprof/profile?seconds=2": "\x1f\x8b",
		"/debug/pprof/goroutine?debug=1": "goroutine profile",
	} {
		if status, body := read(t, ports["profiling"]+target); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s returns %d: %.200s", target, status, body)
		}
	}
	for _, port := range []string{"api", "admin"} {
		if status, _ := read(t, ports[port]+"/debug/pprof/"); status != 404 {
			t.Errorf("port %s returns %d", port, status)
		}
	}
}

func TestProfilingIsDisabledByDefault(t *testing.T) {
	f, ports, stop := startServer(t, "", 2)
	for _, port := range ports {
		if status, _ := read(t, port+"/debug/pprof/"); status != 404 {
			t.Errorf("%s returns %d", port, status)
		}
	}
	// Once Run has returned, no port is opened later.
	stop()
	if ports := f.ports(); len(ports) != 2 || ports["profiling"] != "" {
		t.Errorf("got ports %v, want api and admin", ports)
	}
}

func TestTheProfilingPortListensOnLoopback(t *testing.T) {
	address, err := net.ResolveTCPAddr("tcp", newFixture(t, "").profiling)
	if err != nil || !address.IP.IsLoopback() {
		t.Errorf("the profiling port listens on %s, %v", address, err)
	}
}
