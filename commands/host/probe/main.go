// Command probe runs a probe of a service outside of Kubernetes, where images have no shell and no curl.
//
//	probe check FLAGS TARGET   exit code 0 if one probe succeeds
//	probe wait FLAGS TARGET    exit code 0 after the first success, 1 after -failures failures
//	probe watch FLAGS TARGET   exit code 1 after -failures consecutive failures
//
// TARGET is http://127.0.0.1:8080/path, https://… (the certificate is not verified), tcp://127.0.0.1:8080,
// grpc://127.0.0.1:9000/service, or exec and a command after it.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	flags := flag.NewFlagSet("probe", flag.ExitOnError)
	delay := flags.Duration("delay", 0, "time before the first probe")
	period := flags.Duration("period", time.Second, "time between probes")
	timeout := flags.Duration("timeout", time.Second, "time after which a probe has failed")
	failures := flags.Int("failures", 1, "consecutive failures after which the probe has failed")
	if len(os.Args) < 3 {
		fail(errors.New("usage: probe check|wait|watch FLAGS TARGET"))
	}
	mode := os.Args[1]
	_ = flags.Parse(os.Args[2:])
	target := flags.Args()
	if len(target) == 0 {
		fail(errors.New("no target"))
	}
	if mode == "check" {
		*failures = 1
	}
	time.Sleep(*delay)
	for failed := 0; ; {
		err := probe(target, *timeout)
		switch {
		case err == nil && mode != "watch":
			return
		case err == nil:
			failed = 0
		default:
			if failed++; failed >= *failures {
				fail(err)
			}
		}
		time.Sleep(*period)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "probe:", err)
	os.Exit(1)
}

func probe(target []string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if target[0] == "exec" {
		if len(target) < 2 {
			return errors.New("exec without a command")
		}
		return exec.CommandContext(ctx, target[1], target[2:]...).Run()
	}
	address, err := url.Parse(target[0])
	if err != nil {
		return err
	}
	switch address.Scheme {
	case "http", "https":
		return get(ctx, target[0])
	case "grpc":
		return grpcHealth(ctx, address.Host, strings.TrimPrefix(address.Path, "/"))
	case "tcp":
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address.Host)
		if err == nil {
			err = connection.Close()
		}
		return err
	}
	return fmt.Errorf("%s: use http, https, grpc, tcp or exec", target[0])
}

func get(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := http.Client{
		// As the kubelet: a redirect is a success.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return fmt.Errorf("%s: status %d", address, response.StatusCode)
	}
	return nil
}

// grpcHealth sends a request of the gRPC health checking protocol over HTTP/2 without TLS.
func grpcHealth(ctx context.Context, host, service string) error {
	// HealthCheckRequest: the field 1, a string, in a frame of gRPC.
	message := append(binary.AppendUvarint([]byte{0x0a}, uint64(len(service))), service...)
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/grpc.health.v1.Health/Check", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	// HealthCheckResponse: the field 1, SERVING is 1.
	if !bytes.Equal(answer, []byte{0, 0, 0, 0, 2, 0x08, 1}) {
		return fmt.Errorf("%s is not serving: status %s, %q", host, response.Trailer.Get("Grpc-Status"), answer)
	}
	return nil
}
