//go:build tools

// Package crds pins, in go.mod, the modules that CRD files are taken from.
package crds

import (
	_ "github.com/openshift/api/route/v1/zz_generated.crd-manifests"
)
