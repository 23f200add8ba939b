//go:build tools

// Package helm pins the program that lints and renders the chart, as those who install it render it.
package helm

import _ "helm.sh/helm/v4/cmd/helm"
