package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// Records that no ledger of this version writes are refused.
func TestOtherRules(t *testing.T) {
	t.Parallel()
	account := func(id uint64) []byte {
		return appendAccount(nil, &ledger.Account{ID: ledger.NewID(id, 0), Ledger: 1, Code: 1, Timestamp: id})
	}
	transfer := func(id uint64, change func(*ledger.Transfer)) []byte {
		t := ledger.Transfer{
			ID: ledger.NewID(id, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
			Ledger: 1, Code: 1, Timestamp: id,
		}
		change(&t)
		return appendTransfer(nil, &t)
	}
	plain := func(*ledger.Transfer) {}
	post := func(t *ledger.Transfer) { t.Flags, t.PendingID = ledger.TransferPostPending, ledger.NewID(10, 0) }
	// The head of a request: timestamp 100, and a checksum of no answers.
	request := func(rows ...byte) []byte { return append([]byte{100, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, rows...) }
	var oneAccount rows[ledger.Account]
	oneAccount.appendRow()
	for name, c := range map[string]struct {
		kind uint8
		data []byte
	}{
		"unknown kind":               {99, nil},
		"short request":              {kindTransfers, []byte{1, 2, 3}},
		"half a transfer":            {kindTransfers, request(make([]byte, rowBytes/2)...)},
		"other answers of accounts":  {kindAccounts, request(account(3)...)},
		"other answers of transfers": {kindTransfers, request(transfer(11, plain)...)},
		"other number of expiries":   {kindPulse, []byte{1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0}},
		"short pulse":                {kindPulse, []byte{1}},
		"account twice":              {kindStoredAccounts, account(1)},
		"half an account":            {kindStoredAccounts, account(3)[1:]},
		"short list of segments":     {kindSegments, []byte{1, 0, 0, 0, 1}},
		"hold of no segment":         {kindHolds, appendHold(nil, &lateHold{}, &oneAccount)},
		"half a hold":                {kindHolds, make([]byte, holdBytes/2)},
		"long clock":                 {kindClock, make([]byte, 9)},
	} {
		b := newBooks()
		for id := range uint64(2) {
			require.NoError(t, b.restoreRecord(wal.Record{Kind: kindStoredAccounts, Data: account(id + 1)}))
		}
		require.ErrorIs(t, b.restoreRecord(wal.Record{Kind: c.kind, Data: c.data}), ErrIncompatible, name)
	}

	for name, c := range map[string]struct {
		kind uint8
		data []byte
	}{
		"transfer twice": {kindStoredTransfers, transfer(10, plain)},
		"transfer without account": {kindStoredTransfers, transfer(11, func(t *ledger.Transfer) {
			t.CreditAccountID = ledger.NewID(3, 0)
		})},
		"post of nothing": {kindStoredTransfers, transfer(11, post)},
		"half an id":      {kindFailed, make([]byte, idBytes/2)},
		"other balances":  {kindClock, make([]byte, 8)},
	} {
		b := newBooks()
		old := &conversion{books: &b}
		for id := range uint64(2) {
			require.NoError(t, old.restoreRecord(wal.Record{Kind: kindStoredAccounts, Data: account(id + 1)}))
		}
		moved := func(t *ledger.Transfer) { t.Amount = ledger.NewAmount(1) }
		require.NoError(t, old.restoreRecord(wal.Record{Kind: kindStoredTransfers, Data: transfer(10, moved)}))
		require.ErrorIs(t, old.restoreRecord(wal.Record{Kind: c.kind, Data: c.data}), ErrIncompatible, name)
	}
}

// Expiries of format 1 are read before the transfers.
func TestExpiriesOfFormat1(t *testing.T) {
	t.Parallel()
	for _, e := range []expiredHold{{timestamp: 1, hold: 0}, {timestamp: 1, hold: 7}} {
		b := newBooks()
		old := &conversion{books: &b, expired: []expiredHold{e}}
		require.ErrorIs(t, old.restoreRecord(wal.Record{Kind: kindClock, Data: make([]byte, 8)}), ErrIncompatible)
	}
}

// The error of Open names the file and the offset.
func TestOpenOtherRules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, _, err := wal.Open(dir, func(wal.Record) error { return nil })
	require.NoError(t, err)
	log.Append(99, 0, func(to []byte) []byte { return to })
	require.NoError(t, log.Close())
	_, err = Open(dir)
	require.ErrorIs(t, err, ErrIncompatible)
	require.ErrorContains(t, err, filepath.Join(dir, "log-0000000000000000")+": record at byte 512")
}

// A file of a later format is not reported as damaged.
func TestOpenOtherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := Open(dir)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	name := filepath.Join(dir, "log-0000000000000000")
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	content[8]++ // the version, under a checksum of the first 48 bytes
	byteOrder.PutUint32(content[48:], checksumOf(content[:48]))
	require.NoError(t, os.WriteFile(name, content, 0o600))
	_, err = Open(dir)
	require.ErrorIs(t, err, ErrIncompatible)
	require.ErrorContains(t, err, name)
	require.NotErrorIs(t, err, ErrCorrupt)
}
