//go:build unix

package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// folderRail is a rail for several processes that outlives each of them: a folder with a file for each
// paid key.
type folderRail struct {
	folder        string
	before, after func() // what happens before and after it acts
}

// Settle writes the payment into a temporary file, and gives the file the name of the key. Of several
// callers at once, only one can; the others find the payment.
func (r folderRail) Settle(_ context.Context, o settlement.Order) (ledger.Amount, error) {
	r.before()
	mine, err := os.CreateTemp(r.folder, "tmp-")
	if err != nil {
		return ledger.Amount{}, err
	}
	_, err = fmt.Fprintf(mine, "%s %s", o.Account.Peer(), o.Amount)
	if err := errors.Join(err, mine.Close()); err != nil {
		return ledger.Amount{}, err
	}
	key := filepath.Join(r.folder, o.ID.String())
	if err := os.Link(mine.Name(), key); err != nil && !errors.Is(err, fs.ErrExist) {
		return ledger.Amount{}, err
	}
	r.after()
	_, paid, err := readPayment(key)
	return paid, errors.Join(err, os.Remove(mine.Name()))
}

func readPayment(file string) (peer string, paid ledger.Amount, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", ledger.Amount{}, err
	}
	peer, amount, _ := strings.Cut(string(text), " ")
	paid, err = ledger.ParseAmount(amount)
	return peer, paid, err
}

// readPayments returns the payments of the rail, by peer.
func (r folderRail) readPayments(t *testing.T) map[string][]ledger.Amount {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.folder, "*"))
	require.NoError(t, err)
	all := map[string][]ledger.Amount{}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "tmp-") {
			continue // of a process that was killed
		}
		peer, paid, err := readPayment(file)
		require.NoError(t, err)
		all[peer] = append(all[peer], paid)
	}
	return all
}
