package segment

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/sealed/sealedtest"
	"github.com/peerledger/peerledger/ledger"
)

// content is all that a segment has.
type content struct {
	first    uint64
	rows     []Row
	starts   []Start
	expiries []Expiry
	lateEnds []LateEnd
}

func randomID(r *rand.Rand, n uint64) ledger.ID { return ledger.NewID(r.Uint64N(n), 7) }

func randomAmount(r *rand.Rand) ledger.Amount {
	return ledger.Amount(uint128.New(r.Uint64(), r.Uint64N(3)))
}

// randomPosition is a position of a transfer or none, often near a border.
func randomPosition(r *rand.Rand) uint64 {
	return []uint64{r.Uint64N(NoPosition), NoPosition, 1 << 32, 1<<32 - 1, 0}[r.IntN(5)]
}

// randomFirst is the first position of n rows: some are before and some behind 2^32, or the last is the
// last of all.
func randomFirst(r *rand.Rand, n int) uint64 {
	return []uint64{0, r.Uint64N(1 << 39), 1<<32 - r.Uint64N(uint64(n)+1), NoPosition - uint64(n)}[r.IntN(4)]
}

// randomContent has n rows: many accounts or few, some fields empty, some the same in all rows.
func randomContent(r *rand.Rand, first uint64, n int) content {
	c := content{first: first}
	accounts := uint64(2 + r.IntN(2*n+1))
	timestamp := uint64(1000)
	for range n {
		timestamp += r.Uint64N(3)
		c.rows = append(c.rows, Row{
			Transfer: ledger.Transfer{
				ID: randomID(r, 1<<60), DebitAccountID: randomID(r, accounts), CreditAccountID: randomID(r, accounts),
				Amount: randomAmount(r), PendingID: randomID(r, 2),
				UserData128: uint128.New(r.Uint64N(uint64(n+1)), 0), UserData64: r.Uint64N(3), UserData32: r.Uint32N(50),
				Timeout: r.Uint32(), Ledger: 1, Code: uint16(r.IntN(4)), Flags: ledger.TransferFlags(r.Uint32()),
				Timestamp: timestamp,
			},
			Debit: r.Uint32(), Credit: r.Uint32(), Hold: randomPosition(r), HoldState: uint8(r.Uint32()),
		})
		if r.IntN(3) == 0 {
			c.expiries = append(c.expiries, Expiry{timestamp, randomPosition(r), randomPosition(r), r.Uint32(), r.Uint32()})
		}
		if r.IntN(3) == 0 {
			c.lateEnds = append(c.lateEnds, LateEnd{uint64(3*len(c.lateEnds)) << 22, uint8(r.Uint32())})
		}
	}
	for account := range accounts {
		c.starts = append(c.starts, Start{
			Account: uint32(account * 2), DebitsPending: randomAmount(r), DebitsPosted: randomAmount(r),
			CreditsPending: randomAmount(r), CreditsPosted: randomAmount(r), Flags: ledger.AccountFlags(r.Uint32()),
		})
	}
	return c
}

// writeContent writes a segment; starts and late ends in reverse, because their order is free.
func writeContent(folder sealed.Folder, c content) (Entry, error) {
	w, err := Create(folder, c.first, len(c.rows)/2)
	if err != nil {
		return Entry{}, err
	}
	defer w.Discard()
	for i := range c.rows {
		if err := w.AppendRow(&c.rows[i]); err != nil {
			return Entry{}, err
		}
	}
	for _, s := range slices.Backward(c.starts) {
		w.AddStart(s)
	}
	for _, e := range c.expiries {
		w.AddExpiry(e)
	}
	for _, e := range slices.Backward(c.lateEnds) {
		w.AddLateEnd(e)
	}
	return w.Finish()
}

var allFields = []Field{
	FieldDebitAccount, FieldCreditAccount, FieldUserData128, FieldUserData64, FieldUserData32, FieldLedger, FieldCode,
}

func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func memoryFolder() *sealedtest.Folder { return sealedtest.NewFolder(nil) }

func openContent(t *testing.T, folder sealed.Folder, c content) *Segment {
	t.Helper()
	e, err := writeContent(folder, c)
	require.NoError(t, err)
	s, err := Open(folder, e)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
