package journal_test

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// book is an export to be written, with the balances as it goes on.
type book struct {
	assets   []accounts.Asset
	accounts []*export.Account
	entries  []export.Entry
	opening  []export.Balance // before the first entry
	from, to time.Time
}

// randomID returns an id of letters that formats treat as special, and sometimes of the largest length.
func randomID(rng *rand.Rand) string {
	letters := []string{"a", "B", "z", "0", "9", ".", "-", ":", "%", "'", `"`, `\`, " ", "  ", "\n", "\t", ";", "#", "@", "=", "(", ")", "|", ",", "*", "!", "_", "é", "日", "א", "ß", "\u0301", "\x00", "\x7f", "\u2028", "😀", "$", "/", "~", "{", "[", "<", "&", "?", "+"}
	var b strings.Builder
	for range 1 + rng.IntN(12) {
		b.WriteString(letters[rng.IntN(len(letters))])
	}
	if rng.IntN(20) == 0 {
		return strings.Repeat(b.String(), 1023)[:1000] + "x"
	}
	return b.String()
}

// randomBook returns a book of a few assets, two of one code, and random entries over a few days. Amounts of each
// asset have another typical length, up to 39 digits.
func randomBook(rng *rand.Rand, entries int) *book {
	b := &book{assets: []accounts.Asset{
		{Code: "USD", Scale: 9, Ledger: 1},
		{Code: "USD", Scale: 18, Ledger: 2},
		{Code: "JPY", Scale: 0, Ledger: 3},
		{Code: "wBTC", Scale: 30, Ledger: 4},
		{Code: string([]rune(randomID(rng))[:1]) + "x", Scale: 2, Ledger: 5},
	}}
	ids := map[string]bool{"alice": true, "Alice": true}
	for len(ids) < 6 {
		if id := strings.ToValidUTF8(randomID(rng), "?"); id != "" {
			ids[id] = true
		}
	}
	for _, asset := range b.assets {
		for _, kind := range []export.AccountKind{export.KindLiquidity, export.KindRevenue, export.KindDust, export.KindSuspense, export.KindOutside, export.KindTransit} {
			b.addAccount(export.Account{Asset: asset, Kind: kind})
		}
		for id := range ids {
			for _, kind := range []export.AccountKind{export.KindPeer, export.KindArrears, export.KindSettlement} {
				b.addAccount(export.Account{Asset: asset, Kind: kind, Peer: id})
			}
		}
		b.addAccount(export.Account{Asset: asset, Kind: export.KindPeer, Hash: ledger.NewID(rng.Uint64(), rng.Uint64())})
		b.addAccount(export.Account{Asset: asset, Kind: export.KindOther, Hash: ledger.NewID(7, 7)})
	}
	bits := map[uint32]uint{}
	for _, asset := range b.assets {
		bits[asset.Ledger] = []uint{8, 40, 87, 92, 110, 128}[rng.IntN(6)]
	}
	at := uint64(time.Date(2026, 1, 30, 6, 0, 0, 0, time.UTC).UnixNano())
	balances := make([]export.Balance, len(b.accounts))
	for len(b.entries) < entries {
		debit := b.accounts[rng.IntN(len(b.accounts))]
		credit := b.accounts[rng.IntN(len(b.accounts))]
		if debit == credit || debit.Asset != credit.Asset {
			continue
		}
		n := uint128.New(rng.Uint64(), rng.Uint64()).Rsh(128 - bits[debit.Asset.Ledger])
		if rng.IntN(4) == 0 {
			n = n.Rsh(uint(rng.IntN(128)))
		}
		if rng.IntN(3) == 0 {
			at += uint64(rng.Int64N(int64(6 * time.Hour)))
		}
		b.book(debit, credit, ledger.Amount(n), at, balances)
		at++
	}
	b.hideSomeAccounts()
	b.to = time.Unix(0, int64(at)).UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	return b
}

// hideSomeAccounts makes the accounts of other programs partial, as package export does.
func (b *book) hideSomeAccounts() {
	for _, a := range b.accounts {
		a.Partial = a.Kind == export.KindOther
	}
	for i := range b.entries {
		if e := &b.entries[i]; e.Debit.Partial {
			e.DebitBalance = export.Balance{}
		} else if e.Credit.Partial {
			e.CreditBalance = export.Balance{}
		}
	}
}

func (b *book) addAccount(a export.Account) *export.Account {
	a.Index, a.New = len(b.accounts), true
	b.accounts = append(b.accounts, &a)
	b.opening = append(b.opening, export.Balance{})
	return &a
}

// book adds an entry unless a balance would not fit 128 bits.
func (b *book) book(debit, credit *export.Account, amount ledger.Amount, at uint64, balances []export.Balance) {
	debitBalance, fits := balances[debit.Index].Debit(amount)
	creditBalance, fitsToo := balances[credit.Index].Credit(amount)
	if amount.IsZero() || !fits || !fitsToo {
		return
	}
	balances[debit.Index], balances[credit.Index] = debitBalance, creditBalance
	b.entries = append(b.entries, export.Entry{
		Time: at, Transfer: ledger.NewID(at, 1), Count: 1, Kind: accounts.EntryPacket, Debit: debit, Credit: credit, Amount: amount,
		DebitBalance: debitBalance, CreditBalance: creditBalance,
		Code: 1, Packet: ledger.NewID(at, 2), ConditionTag: [8]byte{1, 2}, Order: ledger.NewID(at, 3), KeyHash: ledger.NewID(at, 4),
		ReasonCode: 5, Journal: 6, Round: 7, Late: at%2 == 0,
	})
}

// begin makes the export begin at an entry: the ones before are in the opening balances.
func (b *book) begin(first int) {
	for _, e := range b.entries[:first] {
		b.opening[e.Debit.Index], b.opening[e.Credit.Index] = e.DebitBalance, e.CreditBalance
	}
	b.entries = b.entries[first:]
	if first > 0 {
		b.from = time.Unix(0, int64(b.entries[0].Time)).UTC()
	}
}

// write returns the parts of the export, which end before the entries with these numbers, and the closing balances.
func (b *book) write(t *testing.T, format export.Format, ends ...int) (parts []string, closing []export.Balance) {
	t.Helper()
	balances, first := b.opening, 0
	var before []*big.Int
	seen := map[*export.Account]bool{}
	for part, end := range append(ends, len(b.entries)) {
		h := &export.Header{Part: part + 1, From: b.from, To: b.to, Opening: balances, DayComplete: end == len(b.entries)}
		for i, asset := range b.assets {
			a := export.Asset{Asset: asset, Bound: b.bound(asset, end)}
			if part > 0 {
				a.BoundBefore = before[i]
			}
			h.Assets = append(h.Assets, a)
		}
		before = before[:0]
		for _, a := range h.Assets {
			before = append(before, a.Bound)
		}
		for _, a := range b.accounts {
			a := *a
			a.New = !seen[b.accounts[a.Index]]
			seen[b.accounts[a.Index]] = true
			h.Accounts = append(h.Accounts, &a)
		}
		if end > 0 {
			h.Last = b.entries[end-1].Time
		}
		s := &export.Summary{Closing: append([]export.Balance{}, balances...), Totals: make([]export.Total, len(b.assets))}
		for i := range s.Totals {
			s.Totals[i].Amounts = new(big.Int)
		}
		var file bytes.Buffer
		w := format.NewWriter(&file)
		require.NoError(t, w.Begin(h))
		for i := range b.entries[first:end] {
			e := b.entries[first+i]
			s.Closing[e.Debit.Index], s.Closing[e.Credit.Index] = e.DebitBalance, e.CreditBalance
			b.count(s.Totals, &e)
			require.NoError(t, w.Write(&e))
		}
		require.NoError(t, w.End(s))
		parts = append(parts, file.String())
		balances, first = s.Closing, end
	}
	return parts, balances
}

func (b *book) count(totals []export.Total, e *export.Entry) {
	total := &totals[slices.Index(b.assets, e.Debit.Asset)]
	total.Entries++
	total.Transfers += e.Count
	total.Amounts.Add(total.Amounts, e.Amount.Big())
}

// bound adds up the entries before a number.
func (b *book) bound(asset accounts.Asset, end int) *big.Int {
	sum := new(big.Int)
	for i, a := range b.accounts {
		if a.Asset == asset {
			sum.Add(sum, b.opening[i].Units.Big())
		}
	}
	for _, e := range b.entries[:end] {
		if e.Debit.Asset == asset {
			sum.Add(sum, e.Amount.Big())
		}
	}
	return sum
}

// texts returns the balances other than 0 as programs show them, by account and commodity.
func (b *book) texts(balances []export.Balance, name func(*export.Account) string, commodity func(string, uint8) string) map[string]string {
	texts := map[string]string{}
	for i, a := range b.accounts {
		if !a.Partial && !balances[i].IsZero() {
			texts[name(a)+" "+commodity(a.Asset.Code, a.Asset.Scale)] = fixed(balances[i].Big(), a.Asset.Scale)
		}
	}
	return texts
}

// fixed returns whole units with all decimals, by another way than the package has.
func fixed(units *big.Int, scale uint8) string {
	return new(big.Rat).SetFrac(units, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).FloatString(int(scale))
}

func seeded(t *testing.T) (*rand.Rand, uint64) {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("PEERLEDGER_EXPORT_SEED"); text != "" {
		_, err := fmt.Sscan(text, &seed)
		require.NoError(t, err)
	}
	t.Log("seed", seed)
	return rand.New(rand.NewPCG(seed, 0)), seed
}
