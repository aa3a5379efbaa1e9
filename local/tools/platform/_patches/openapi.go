// Package openapi stands in for metrics-server's generated definitions, which name types that
// came with Kubernetes 1.36; those of the Kubernetes this node runs include the metrics API's.
package openapi

import (
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kubernetes/pkg/generated/openapi"
)

// GetOpenAPIDefinitions gives the definitions of every built-in API.
func GetOpenAPIDefinitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	return openapi.GetOpenAPIDefinitions(ref)
}
