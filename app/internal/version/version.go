// Package version says which build this is. Its values are set by the linker.
package version

import "runtime"

var (
	// Version is the content of the file VERSION.
	Version = "dev"
	// Revision is the commit the binary was built from, where the builder gave one.
	Revision = "unknown"
)

// Go is the version of the Go toolchain the binary was built with.
func Go() string { return runtime.Version() }
