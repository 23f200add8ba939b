//go:build tools

// Package kubelet pins the programs of Kubernetes that only a real node has.
package kubelet

import (
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
