package idindex

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// TestMappedFault cuts a file while its filter is mapped: the look-up fails, and the process goes on.
func TestMappedFault(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	x, m := newIndexToTest(t, sealed.OSFolder(path)), model{}
	sealRandom(t, newRand(t), x, m, 5000)
	name := x.current.runs[0].entry.fileName()
	require.NoError(t, os.Truncate(filepath.Join(path, name), 0))
	may := []bool{false}
	for id := range m {
		require.ErrorContains(t, x.MayHave([]ledger.ID{id}, may), "cannot be read")
		_, err := x.FindEntries(nil, id)
		require.ErrorContains(t, err, "cannot be read")
		break
	}
	require.ErrorContains(t, x.VerifyFiles(t.Context()), "cannot be read")
}
