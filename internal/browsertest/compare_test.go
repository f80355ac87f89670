//go:build cgo && !race

package browsertest

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// net is what we owe a peer less what it owes us, in units.
func net(b accounts.Balance) *big.Int { return new(big.Int).Sub(b.Payable.Big(), b.Receivable.Big()) }

// dollars writes units as whole units.
func dollars(units *big.Int) string { return decimal.NewFromBigInt(units, -2).StringFixed(2) }

// writeTheirStatement writes the statement of the peer's own books, in which we are the peer us, as a file. packets are
// the amounts that the peer has forwarded to us, by condition.
func writeTheirStatement(t *testing.T, packets map[byte]uint64) (file string, balance accounts.Balance) {
	t.Helper()
	client, err := peerledger.New(embedded.New(), peerledger.Config{Accounts: accounts.Config{Assets: []accounts.Asset{usd}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close(context.Background())) }()
	handles, err := client.Provision(t.Context(), line("user", usd, 1_000_00), line("us", usd, 1_000_00))
	require.NoError(t, err)
	theirs := &world{t: t, client: client, peers: map[string]accounts.PeerAccount{"user USD": handles[0], "us USD": handles[1]}}
	for condition, amount := range packets {
		theirs.sendWith("user", "us", amount, condition)
	}
	statement, err := client.Book.Statement(t.Context(), handles[1], time.Time{}, time.Time{}, accounts.WithHolds())
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, statement))
	file = filepath.Join(t.TempDir(), "theirs.csv")
	require.NoError(t, os.WriteFile(file, text.Bytes(), 0o600))
	return file, theirs.balance("us")
}

// A statement of the peer with three planted differences is compared. The page lists the three. Its sums agree with
// both books.
func TestCompareStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 0))
	ours := map[byte]uint64{1: 10_00, 2: 25_50, 3: 3_01, 4: 70_00}
	theirs := map[byte]uint64{1: 10_00, 2: 25_05, 4: 70_00, 5: 8_20} // 2 has another amount, 3 is missing, 5 is too many
	for condition, amount := range ours {
		w.sendWith("kiterail", "harborpay", amount, condition)
	}
	file, theirBalance := writeTheirStatement(t, theirs)
	ourBalance := w.balance("kiterail")

	b := w.logIn()
	b.open(w.page("peer?asset=USD%2F2&peer=kiterail"))
	b.click(`a.button[href^="compare?"]`)
	b.waitForPage("compare")
	b.do("choose the file", chromedp.SetUploadFiles(chromedp.CSS("input[type=file]"), []string{file}))
	b.click(`.upload button:not([formaction])`)
	b.waitForText("#result h2", "The statements differ")
	figure := func(label string) string {
		return ask[string](b, fmt.Sprintf(`[...document.querySelectorAll("#result dt")].find((e) => e.innerText === %q).nextElementSibling.innerText`, label))
	}
	require.Equal(t, "2", figure("Equal"))
	require.Equal(t, "3", figure("Differences"))
	require.Equal(t, dollars(net(ourBalance)), figure("Ours"))
	require.Equal(t, dollars(net(theirBalance)), figure("Theirs"))
	require.Equal(t, dollars(new(big.Int).Add(net(ourBalance), net(theirBalance))), figure("Drift"))
	rows := ask[[]string](b, `[...document.querySelector("#result table").tBodies[0].rows].map((r) => ["Row", "Ours", "Theirs", "Drift"].map((l) => r.querySelector('[data-label="' + l + '"]').innerText).join(" "))`)
	require.ElementsMatch(t, []string{"other amount -25.50 25.05 -0.45", "missing there -3.01 0.00 -3.01", "missing here 0.00 8.20 8.20"}, rows)
	b.requireGoodLooks("a comparison")
	require.Equal(t, ourBalance, w.balance("kiterail"), "a comparison changes nothing")
}
