// Package ext is the extension point of Traefik's dynamic configuration, empty as in its open
// source edition.
package ext

// HTTP adds nothing to an HTTP configuration.
type HTTP struct{}

// Router adds nothing to a router.
type Router struct{}
