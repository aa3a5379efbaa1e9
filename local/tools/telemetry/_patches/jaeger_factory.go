// Package factory has of Jaeger 1's storages only what its query service names.
package factory

import "github.com/jaegertracing/jaeger/internal/storage/v1/api/spanstore"

// ArchiveStorage is never made: Jaeger 2 is told its archive in another way.
type ArchiveStorage struct {
	Reader spanstore.Reader
	Writer spanstore.Writer
}
