//go:build tools

// Package kubernetes pins an API server in go.mod.
package kubernetes

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)
