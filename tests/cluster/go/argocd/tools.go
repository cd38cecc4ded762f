//go:build tools

// Package tools pins Argo CD, which can own an add-on in the lab.
package tools

import _ "github.com/argoproj/argo-cd/v2/cmd"
