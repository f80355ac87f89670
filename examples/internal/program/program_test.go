package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExitStatus(t *testing.T) {
	t.Parallel()
	usage := errors.New("usage")
	for _, test := range []struct {
		err    error
		status int
		output string
	}{
		{nil, 0, ""},
		{flag.ErrHelp, 0, ""},
		{fmt.Errorf("%w: -count", usage), 2, "bench: usage: -count\n"},
		{io.ErrUnexpectedEOF, 1, "bench: unexpected EOF\n"},
	} {
		var stderr strings.Builder
		require.Equal(t, test.status, reportError(&stderr, "bench", usage, test.err))
		require.Equal(t, test.output, stderr.String())
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	status := Run("bench", io.EOF, func(ctx context.Context, args []string, stdout, stderr io.Writer, _ bool) error {
		require.NoError(t, ctx.Err())
		require.NotNil(t, args)
		require.NotNil(t, stdout)
		require.NotNil(t, stderr)
		return flag.ErrHelp
	})
	require.Zero(t, status)
}
