// promtool, for the tests of the alerts. A module of its own: a change here must not build the whole control plane anew.
// promtool is compiled with Prometheus' own go.mod, so nothing is imported here; `go mod tidy` would empty this file.
module github.com/vllm-project/semantic-router-operator/hack/prometheus

go 1.26.0

require github.com/prometheus/prometheus v0.316.0
