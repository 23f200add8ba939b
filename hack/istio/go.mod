// Istio's CRDs, for the end to end tests of gateway mode. A module of its own: a change here must not
// build anything anew. Nothing is imported here; `go mod tidy` would empty this file.
module github.com/vllm-project/semantic-router-operator/hack/istio

go 1.26.0

require istio.io/api v1.31.1
