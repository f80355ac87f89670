package timechart_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/timechart"
)

// PEERLEDGER_CHARTS is a folder for pictures to look at, and to renew docs/images.
func TestPictures(t *testing.T) {
	t.Parallel()
	folder, dpi := os.Getenv("PEERLEDGER_CHARTS"), 120
	if folder == "" { // the time is in the dots
		folder, dpi = t.TempDir(), 20
	}
	for name, ids := range map[string][]string{
		"one": {"alice"}, "three": {"alice", "bob", "carol"}, "nine": {"alice", "bob", "carol", "dave", "erin", "fred", "gina", "harry of a very long name indeed", "ivan"},
	} {
		b := newTestBook(t, append(ids, "other")...)
		b.fillMonth(rand.New(rand.NewPCG(1, 2)))
		figures, err := timechart.Read(t.Context(), b.Book, b.peers[:len(ids)], timechart.Query{From: november, To: b.now, Steps: 60})
		require.NoError(t, err)
		for _, theme := range []timechart.Theme{timechart.Light, timechart.Dark} {
			for _, format := range []timechart.Format{timechart.PNG, timechart.SVG} {
				drawn, err := timechart.Chart{Figures: figures, Theme: theme, DPI: dpi}.Encode(format)
				require.NoError(t, err)
				require.NotEmpty(t, drawn)
				require.NoError(t, os.WriteFile(filepath.Join(folder, name+"-"+string(theme)+"."+string(format)), drawn, 0o644))
			}
		}
	}
}
