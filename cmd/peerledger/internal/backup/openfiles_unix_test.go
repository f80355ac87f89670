//go:build unix

package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
)

// fewFilesIn names a folder in which a child process with a low limit of open files backs up a running ledger.
const fewFilesIn = "PEERLEDGER_BACKUP_FEW_FILES_IN"

// createWithFewFiles prints the errors of a backup and of verify --live.
func createWithFewFiles(dir string) {
	folder := filepath.Join(dir, "ledger")
	_, err := Create(context.Background(), Options{Ledger: folder, Folder: filepath.Join(dir, "backups")})
	_, readErr := ReadFolder(folder, dir)(context.Background())
	fmt.Printf("%v\n%v\n", err, readErr)
	os.Exit(0)
}

// A ledger with more files than a process may open has no live copy, and the operator learns what to do.
func TestTooManyOpenFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := embedded.Open(filepath.Join(dir, "ledger"))
	require.NoError(t, err)
	for n := range 200 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger", fmt.Sprintf("segment-%016x", n)), nil, 0o600))
	}
	child := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 100 && exec "$0"`, os.Args[0])
	child.Env = append(os.Environ(), fewFilesIn+"="+dir)
	out, err := child.CombinedOutput()
	require.NoError(t, errors.Join(err, l.Close()), "%s", out)
	require.Regexp(t, `^backup: open .*too many open files.*raise the limit of open files \(ulimit -n, LimitNOFILE=.*backup --stop and --start\)\n`+
		`copy .*: backup: open .*too many open files.*raise the limit of open files`, string(out))
	require.Empty(t, listLeftovers(t, filepath.Join(dir, "backups")))
}
