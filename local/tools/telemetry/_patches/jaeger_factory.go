// Package factory contains the only type of Jaeger 1's storage factory that the query service uses.
package factory

import "github.com/jaegertracing/jaeger/internal/storage/v1/api/spanstore"

// ArchiveStorage is not used: Jaeger 2 configures its archive storage elsewhere.
type ArchiveStorage struct {
	Reader spanstore.Reader
	Writer spanstore.Writer
}
