// The network plugins of the real node. A module of its own: a change here must not build the whole control plane anew.
// They are compiled with their own go.mod, so nothing is imported here; `go mod tidy` would empty this file.
module github.com/vllm-project/semantic-router-operator/hack/cni

go 1.26.0

require github.com/containernetworking/plugins v1.10.0
