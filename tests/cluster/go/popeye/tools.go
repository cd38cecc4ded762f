//go:build tools

// Package tools pins popeye, which the scan's benchmark runs beside us.
package tools

import _ "github.com/derailed/popeye"
