// Package ecs stands in for Traefik's provider for Amazon ECS, whose SDK takes a minute and four
// gigabytes to compile. On a local node there is no such service to ask.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// ProviderName is how Traefik's configuration names it.
const ProviderName = "ecs"

// Provider provides nothing.
type Provider struct{}

// Init refuses.
func (*Provider) Init() error {
	return errors.New("this build of Traefik has no ECS provider")
}

// Provide provides nothing.
func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error {
	return nil
}
