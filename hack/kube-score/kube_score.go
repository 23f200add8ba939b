//go:build tools

// Package kubescore pins the program that says what is wrong with manifests in the eyes of people who run clusters.
package kubescore

import _ "github.com/zegl/kube-score/cmd/kube-score"
