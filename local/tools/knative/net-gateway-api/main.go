// Command net-gateway-api routes the requests of Knative Services with the Gateway API.
//
// It is the controller of knative.dev/net-gateway-api with a name of its own: both modules call
// theirs "controller".
package main

import (
	"knative.dev/net-gateway-api/pkg/reconciler/ingress"
	"knative.dev/pkg/injection/sharedmain"
)

func main() {
	sharedmain.Main("net-gateway-api-controller", ingress.NewController)
}
