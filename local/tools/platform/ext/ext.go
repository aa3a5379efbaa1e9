// Package ext replaces the module with the extension points of Traefik's dynamic configuration. They
// are empty, as in the open source edition.
package ext

// HTTP extends an HTTP configuration.
type HTTP struct{}

// Router extends a router.
type Router struct{}
