// containerd, for the real node. A module of its own: a change here must not build the whole control plane anew. It is
// compiled with its own go.mod, so nothing is imported here; `go mod tidy` would empty this file.
module github.com/vllm-project/semantic-router-operator/hack/containerd

go 1.26.0

require github.com/containerd/containerd/v2 v2.4.2
