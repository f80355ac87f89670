package connectorbooks

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// addSeeds adds the answers that the command's tests import.
func addSeeds(f *testing.F, pattern string) {
	f.Helper()
	found, err := filepath.Glob(filepath.Join("..", "..", "testdata", "import", pattern))
	require.NoError(f, err)
	require.NotEmpty(f, found)
	for _, name := range found {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
	}
}

// checkBooks checks what holds for all books: amounts are bounded, no id is there twice, and an error is a fault.
func checkBooks(t *testing.T, b Books, err error) {
	t.Helper()
	var fault *FaultError
	if err != nil {
		require.True(t, errors.As(err, &fault), "%v", err)
		require.Empty(t, b.Peers)
		return
	}
	seen := map[string]bool{}
	for _, p := range b.Peers {
		require.NotEmpty(t, p.ID)
		require.NotNil(t, p.Position)
		require.Equal(t, p.Unlimited, p.CreditLine == nil)
		require.True(t, p.Unlimited || p.CreditLine.Sign() >= 0)
		require.False(t, seen[p.ID+" "+p.Asset.String()], p.ID)
		seen[p.ID+" "+p.Asset.String()] = true
		require.Equal(t, p.SettleAt == nil, p.SettleTo == nil)
	}
	for _, n := range b.Notes {
		require.NotContains(t, n.Text, "%!")
	}
}

func FuzzParseRafiki(f *testing.F) {
	addSeeds(f, "rafiki*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseRafiki(PeerIDAddress, File{Name: "f", Data: data})
		checkBooks(t, b, err)
	})
}

func FuzzParseInterledgerRS(f *testing.F) {
	addSeeds(f, "interledger-rs*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseInterledgerRS(File{Name: "f", Data: data})
		checkBooks(t, b, err)
	})
}
