// Package version holds the version of the build, which is set with -ldflags -X.
package version

import "runtime"

var (
	// Version is the content of the file VERSION.
	Version = "dev"
	// Revision is the commit of the source.
	Revision = "unknown"
)

// Go returns the version of the Go toolchain.
func Go() string { return runtime.Version() }
