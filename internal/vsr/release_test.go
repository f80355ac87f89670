package vsr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/vsr"
)

func TestReleases(t *testing.T) {
	t.Parallel()
	r, err := vsr.ParseRelease("0.17.9")
	require.NoError(t, err)
	require.Equal(t, release, r)
	require.Equal(t, "0.17.9", r.String())
	for _, text := range []string{"", "0.17", "0.17.9.1", "0.17.9+abc", "0.17.256", "v0.17.9", "a.b.c"} {
		_, err := vsr.ParseRelease(text)
		require.Error(t, err, text)
	}
}
