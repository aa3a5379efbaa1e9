// Package provider, without component resources (Chart, ConfigFile, ConfigGroup, Directory): they
// compile the Go SDK of every Kubernetes kind, which takes ten minutes.
package provider

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

var resourceProviders map[string]resource.ResourceProviderFactory

func (k *kubeProvider) Construct(_ context.Context, req *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	return nil, fmt.Errorf("this build of the Kubernetes provider has no component resources, such as %s", req.GetType())
}
