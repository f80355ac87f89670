package doctor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// unanswering is a ledger that answers no transfers.
type unanswering struct{ ledger.Ledger }

func (unanswering) CreateTransfers(ctx context.Context, _ []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	<-ctx.Done()
	return nil, ledger.ErrOutcomeUnknown
}

// writeConnectorFolders makes a ledger's folder, and a journal in which so many fulfills wait.
func writeConnectorFolders(t *testing.T, waiting int, expiry time.Time) (folder, journal string) {
	t.Helper()
	folder, journal = filepath.Join(t.TempDir(), "ledger"), filepath.Join(t.TempDir(), "journal")
	l, err := embedded.Open(folder)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	book, err := accounts.NewBook(l, accounts.Config{Namespace: "test", Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	handles, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	r, err := transfers.NewRecorder(unanswering{l}, book, transfers.Config{JournalFolder: journal, Events: transfers.Events{Replayed: func([]transfers.Result) {}}})
	require.NoError(t, err)
	for i := range waiting {
		_, err := r.Submit(t.Context(), transfers.FulfillOp(transfers.Packet{
			ID: ledger.NewID(uint64(i+1)<<8, 9), From: handles[0], To: handles[1], In: 1, Out: 1, Expiry: expiry, Hold: time.Minute,
		}))
		require.NoError(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // abandon the request
	_ = r.Close(ctx)
	return folder, journal
}

// listFolderCodes returns the codes without the codes of the test's volume.
func listFolderCodes(r Report) (list []Code) {
	for _, f := range r {
		if f.Code != DiskFull && f.Code != NotDurable {
			list = append(list, f.Code)
		}
	}
	return list
}

// The findings on a closed ledger and a journal. Both stay unchanged.
func TestFolders(t *testing.T) {
	t.Parallel()
	folder, journal := writeConnectorFolders(t, 2, time.Now().Add(time.Minute))
	_, empty := writeConnectorFolders(t, 0, time.Time{})
	_, far := writeConnectorFolders(t, 1, time.Now().Add(48*time.Hour))
	namespace := Books{Config: accounts.Config{Namespace: "other", Assets: []accounts.Asset{usd}}}
	damaged := func(path string) string {
		names, err := wal.Names(path)
		require.NoError(t, err)
		content, err := os.ReadFile(filepath.Join(path, names[0]))
		require.NoError(t, err)
		content[100] ^= 1
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, names[0]), content, 0o600))
		return dir
	}
	for name, test := range map[string]struct {
		subject Subject
		want    []Code
	}{
		"right":             {Subject{Folder: folder}, []Code{FolderRight, TotalsRight, ClockPlausible}},
		"clock is behind":   {Subject{Folder: folder, Now: func() time.Time { return time.Now().Add(-time.Hour) }}, []Code{FolderRight, TotalsRight, ClockBehind}},
		"missing":           {Subject{Folder: filepath.Join(folder, "missing")}, []Code{FolderMissing}},
		"empty":             {Subject{Folder: t.TempDir()}, []Code{FolderMissing}},
		"damaged":           {Subject{Folder: damaged(folder)}, []Code{FolderDamaged}},
		"a journal":         {Subject{Folder: journal}, []Code{FolderForeign}},
		"waiting":           {Subject{Journal: journal}, []Code{JournalWaits}},
		"nothing waits":     {Subject{Journal: empty}, []Code{JournalRight}},
		"expires far ahead": {Subject{Journal: far}, []Code{JournalWaits, ClockBehind}},
		"no journal":        {Subject{Journal: t.TempDir()}, []Code{FolderMissing}},
		"damaged journal":   {Subject{Journal: damaged(journal)}, []Code{FolderDamaged}},
		"a ledger":          {Subject{Journal: folder}, []Code{FolderForeign}},
		"of another":        {Subject{Journal: empty, Books: namespace}, []Code{JournalOther, JournalRight}},
		"both":              {Subject{Folder: folder, Journal: journal}, []Code{FolderRight, TotalsRight, ClockPlausible, JournalWaits}},
	} {
		r := Examine(t.Context(), test.subject)
		require.Equal(t, test.want, listFolderCodes(r), "%s: %+v", name, r)
	}
	r := Examine(t.Context(), Subject{Journal: journal})
	require.Contains(t, r[0].Found, "2 fulfills wait to be recorded")

	r = Examine(t.Context(), Subject{Folder: folder, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	require.Contains(t, r[2].Found, "the newest timestamp of the ledger is from ")

	content, err := transfers.ReadJournal(journal)
	require.NoError(t, err)
	require.Equal(t, 2, content.PendingFulfills, "they still wait")
}

// An open folder is not read, and is no fault.
func TestFoldersInUse(t *testing.T) {
	t.Parallel()
	folder, _ := writeConnectorFolders(t, 0, time.Time{})
	l, err := embedded.Open(folder)
	require.NoError(t, err)
	r := Examine(t.Context(), Subject{Folder: folder})
	require.Equal(t, []Code{FolderInUse}, listFolderCodes(r))
	require.Equal(t, OK, r.Worst())
	require.Regexp(t, "nothing in it was checked: .* end that process and run doctor again", r[0].Found)
	require.Contains(t, r[0].Found, `"peerledger verify BACKUPS --live --folder LEDGER", which needs such a backup`)
	require.NoError(t, l.Close())
}
