// Package openapi replaces metrics-server's generated definitions, which need types of Kubernetes
// 1.36. The definitions of the Kubernetes version in this module include the metrics API.
package openapi

import (
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kubernetes/pkg/generated/openapi"
)

// GetOpenAPIDefinitions returns the definitions of all built-in APIs.
func GetOpenAPIDefinitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	return openapi.GetOpenAPIDefinitions(ref)
}
