package ilp_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/ilp"
)

func TestClassOfCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]ilp.CodeClass{
		"F00": ilp.ClassFinal, "F99": ilp.ClassFinal, "T00": ilp.ClassTemporary, "T77": ilp.ClassTemporary, "R00": ilp.ClassRelative,
		"Rxy": ilp.ClassRelative, "T": ilp.ClassTemporary, "": ilp.ClassFinal, "X01": ilp.ClassFinal, "t00": ilp.ClassFinal, "000": ilp.ClassFinal,
	} {
		require.Equal(t, want, ilp.ClassOfCode(code), code)
	}
}
