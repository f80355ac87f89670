package peerledger_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// skipReason is the form of a skipped test's reason, which tools/skips reads: the missing thing, and
// how to get it. The whole reason may follow "needs ".
var skipReason = regexp.MustCompile(`^needs ($|[^:]+: )`)

// A skipped test says what it needs and how to get it.
func TestSkipsSayTheirNeed(t *testing.T) {
	t.Parallel()
	seen := 0
	goFiles(t, ".", func(path, _ string, file *ast.File) {
		ast.Inspect(file, func(node ast.Node) bool {
			call, is := node.(*ast.CallExpr)
			if !is {
				return true
			}
			called, is := call.Fun.(*ast.SelectorExpr)
			if !is || called.Sel.Name != "Skip" && called.Sel.Name != "Skipf" && called.Sel.Name != "SkipNow" {
				return true
			}
			seen++
			require.NotEmpty(t, call.Args, "%s: a skip without a reason", path)
			require.Regexp(t, skipReason, leftmostText(call.Args[0]), path)
			return true
		})
	})
	require.Greater(t, seen, 10)
}

// leftmostText returns the text at the beginning of a sum of strings; "" if that is no literal.
func leftmostText(expr ast.Expr) string {
	for {
		sum, is := expr.(*ast.BinaryExpr)
		if !is {
			break
		}
		expr = sum.X
	}
	literal, is := expr.(*ast.BasicLit)
	if !is || literal.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return text
}
