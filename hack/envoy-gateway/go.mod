// The real Envoy Gateway and the Gateway API's CRDs, for the end to end tests of gateway mode. A
// module of its own: a change here must not build the whole control plane anew. Envoy Gateway is
// compiled with its own go.mod, so nothing is imported here; `go mod tidy` would empty this file.
module github.com/vllm-project/semantic-router-operator/hack/envoy-gateway

go 1.26.0

require (
	github.com/envoyproxy/gateway v1.9.1
	sigs.k8s.io/gateway-api v1.6.3
)
