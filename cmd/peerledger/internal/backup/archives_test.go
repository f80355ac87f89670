package backup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// writeArchives writes archive files beside a journal, and returns their content by name. A file that
// is not whole yet is there as well.
func writeArchives(t *testing.T, journal string) map[string][]byte {
	t.Helper()
	folder := filepath.Join(journal, "archive")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	files := map[string][]byte{"packets-0000000000000001": []byte("one"), "packets-000000000000000a": []byte("ten")}
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "packets-000000000000000b.tmp"), nil, 0o600))
	return files
}
