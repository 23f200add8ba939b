// Modules whose CRD files the tests install. Not in ../go.mod: nothing of these is compiled, and a
// change there builds the whole control plane anew.
module github.com/vllm-project/semantic-router-operator/hack/crds

go 1.26.0

require (
	github.com/openshift/api v0.0.0-20260120150926-4c643a652d54
	// Beside its CRDs lies no Go package to import, so `go mod tidy` would drop this line.
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
