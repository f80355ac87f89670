package bankfile

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A reader ends soon after its context, whatever the file.
func TestParseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mapping := &Mapping{Date: "YYYY-MM-DD", Columns: map[string]string{"date": "d", "amount": "a"}}
	for name, c := range map[string]struct {
		start, repeated string
		mapping         *Mapping
	}{
		"camt":  {camtStart + "<Stmt>", "<a></a>", nil},
		"mt940": {":20:X\n:25:1\n", "\n", nil},
		"csv":   {"d,a\n", "2026-11-02,1\n", mapping},
	} {
		_, err := Parse(ctx, []byte(c.start+strings.Repeat(c.repeated, 2*checkEvery)), c.mapping)
		require.ErrorIs(t, err, context.Canceled, name)
	}
}
