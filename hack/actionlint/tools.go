//go:build tools

// Package actionlint pins the linter of GitHub workflows, which PyPI has only as a download from elsewhere.
package actionlint

import _ "github.com/rhysd/actionlint/cmd/actionlint"
