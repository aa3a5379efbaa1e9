// Package identity describes the process in responses, log lines and spans.
package identity

import (
	"cmp"
	"os"

	"beacon/internal/version"
)

// Identity describes the process. Namespace is empty outside Kubernetes.
type Identity struct {
	Service   string `json:"service"`
	Version   string `json:"version"`
	Track     string `json:"track"`
	Pod       string `json:"pod"`
	Namespace string `json:"namespace"`
}

// FromEnv returns the identity that OTEL_SERVICE_NAME (default beacon), TRACK (default stable), POD_NAME
// (default: the host name) and POD_NAMESPACE describe.
func FromEnv() Identity {
	hostname, _ := os.Hostname()
	return Identity{
		Service:   cmp.Or(os.Getenv("OTEL_SERVICE_NAME"), "beacon"),
		Version:   version.Version,
		Track:     cmp.Or(os.Getenv("TRACK"), "stable"),
		Pod:       cmp.Or(os.Getenv("POD_NAME"), hostname),
		Namespace: os.Getenv("POD_NAMESPACE"),
	}
}
