// Command shop is each service of a shop: it serves HTTP, WebSockets and gRPC, and calls others.
package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/net/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

var version = "dev"

var client = &http.Client{
	Transport: otelhttp.NewTransport(http.DefaultTransport),
	Timeout:   2 * time.Second,
}

func main() {
	// The endpoint, the sampler and the resource are in the variables OTEL_*.
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithBatcher(exporter)))
	otel.SetTextMapPropagator(propagation.TraceContext{})

	listener, err := net.Listen("tcp", ":9000")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { log.Fatal(server.Serve(listener)) }()

	http.Handle("/", otelhttp.NewHandler(http.HandlerFunc(answer), "request"))
	http.Handle("/echo", websocket.Handler(func(c *websocket.Conn) { _, _ = io.Copy(c, c) }))
	log.Fatal(http.ListenAndServe(":8080", nil))
}

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Version", version)
	switch path.Base(r.URL.Path) {
	case "fail":
		http.Error(w, "failed", http.StatusInternalServerError)
	case "call":
		call(w, r)
	default:
		_, _ = io.WriteString(w, os.Getenv("OTEL_SERVICE_NAME")+"\n")
	}
}

// call returns the response of the parameter url, or 502.
func call(w http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.FormValue("url"), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response, err := client.Do(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = response.Body.Close() }()
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}
