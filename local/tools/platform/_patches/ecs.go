// Package ecs replaces Traefik's Amazon ECS provider, whose SDK takes a minute and four gigabytes of
// memory to compile. A local node has no access to Amazon ECS.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// ProviderName is the provider's key in Traefik's configuration.
const ProviderName = "ecs"

// Provider is the empty provider.
type Provider struct{}

// Init always returns an error.
func (*Provider) Init() error {
	return errors.New("this build of Traefik has no ECS provider")
}

// Provide sends no configuration.
func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error {
	return nil
}
