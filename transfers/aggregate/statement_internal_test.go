package aggregate

import (
	"encoding/binary"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// statementPeers provisions peers in two assets on a ledger of their own.
func statementPeers(t *testing.T) (ledger.Ledger, *accounts.Book, []accounts.PeerAccount) {
	t.Helper()
	l := embedded.New()
	eur := accounts.Asset{Code: "EUR", Scale: 6, Ledger: 2, AllowLoss: true}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd, eur}})
	require.NoError(t, err)
	var peers []accounts.PeerAccount
	for _, asset := range []accounts.Asset{usd, eur} {
		for _, id := range []string{"alice", "bob"} {
			// Bob's line is small, so that some of his packets are refused.
			line := map[string]uint64{"alice": 1_000_000, "bob": 2000}[id]
			a, err := book.Provision(t.Context(), accounts.PeerConfig{ID: id, Asset: asset, CreditLine: ledger.NewAmount(line)})
			require.NoError(t, err)
			peers = append(peers, a...)
		}
		own, err := book.OwnAccount(asset)
		require.NoError(t, err)
		peers = append(peers, own)
	}
	return l, book, peers
}

func randomOf(rnd *rand.Rand, peers []accounts.PeerAccount, number uint64) transfers.Packet {
	in := uint64(rnd.IntN(100))
	p := transfers.Packet{From: peers[rnd.IntN(len(peers))], To: peers[rnd.IntN(len(peers))], In: in, Out: in - min(in, uint64(rnd.IntN(4))), Expiry: time.Now().Add(30 * time.Second)}
	if p.From.Ledger() != p.To.Ledger() {
		p.Out, p.Dust = uint64(rnd.IntN(100)), uint64(rnd.IntN(int(in)+1))
	}
	binary.BigEndian.PutUint64(p.Condition[:], number)
	return p
}

// negated returns the statement as the peer's own would be.
func negated(entries iter.Seq2[accounts.Entry, error]) iter.Seq2[accounts.Entry, error] {
	return func(yield func(accounts.Entry, error) bool) {
		for e, err := range entries {
			if err == nil {
				e.Amount.Neg(e.Amount)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// The statements of a recorder in rounds, with its journal, and of a recorder that books each packet have the
// same packets. The recorder in rounds writes checkpoints all the time, and is opened again in between.
func TestStatementsOfBothRecorders(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 3))
	l, book, peers := statementPeers(t)
	twinLedger, twinBook, twins := statementPeers(t)
	twin, err := transfers.NewRecorder(twinLedger, twinBook, transfers.Config{})
	require.NoError(t, err)
	folder := filepath.Join(t.TempDir(), "journal")
	rejected := map[ledger.ID]bool{}
	for life := range 3 {
		r, err := newRecorder(t.Context(), l, book, Config{JournalFolder: folder, RoundInterval: time.Millisecond}, 1)
		require.NoError(t, err)
		for n := range 150 {
			packet := randomOf(rnd, peers, uint64(life*1000+n+1))
			held, err := r.Prepare(t.Context(), packet)
			if err != nil {
				require.ErrorIs(t, err, transfers.ErrCreditLine)
				continue
			}
			if rnd.IntN(10) == 0 {
				_, err = r.Reject(t.Context(), held.Packet)
				require.NoError(t, err)
				rejected[held.Packet.ID] = true
				continue
			}
			_, err = r.Fulfill(t.Context(), held.Packet)
			require.NoError(t, err)
			same := held.Packet
			for i, a := range peers {
				if a == held.Packet.From {
					same.From = twins[i]
				}
				if a == held.Packet.To {
					same.To = twins[i]
				}
			}
			_, err = twin.Record(t.Context(), transfers.ForwardOp(same))
			require.NoError(t, err)
		}
		require.NoError(t, r.Close(t.Context()))
	}
	require.NoError(t, twin.Close(t.Context()))
	list, err := packetlog.ListArchives(filepath.Join(folder, packetlog.ArchiveFolder))
	require.NoError(t, err)
	require.NotEmpty(t, list)

	requireSameStatements(t, book, peers, twinBook, twins, folder)
	found := 0
	require.NoError(t, packetlog.Search(t.Context(), folder, packetlog.Query{}, func(p *packetlog.Packet) error {
		require.Equal(t, rejected[p.ID], p.IsRejected())
		if p.IsRejected() {
			found++
		}
		return nil
	}))
	require.Len(t, rejected, found)
}

// requireSameStatements compares the statements of two books, of which the first has rounds.
func requireSameStatements(t *testing.T, book *accounts.Book, peers []accounts.PeerAccount, twinBook *accounts.Book, twins []accounts.PeerAccount, folder string) {
	t.Helper()
	matched := 0
	for i, a := range peers {
		if a.IsOwn() {
			continue
		}
		ours, err := book.Statement(t.Context(), a, time.Time{}, time.Time{}, accounts.WithJournals(folder))
		require.NoError(t, err)
		theirs, err := twinBook.Statement(t.Context(), twins[i], time.Time{}, time.Time{})
		require.NoError(t, err)
		got, err := accounts.Compare(ours.Entries(t.Context()), negated(theirs.Entries(t.Context())))
		require.NoError(t, err)
		require.Empty(t, got.Differences)
		matched += got.Matched
		for e, err := range ours.Entries(t.Context()) {
			require.NoError(t, err)
			require.NotEqual(t, accounts.EntryRound, e.Kind)
			require.NotEqual(t, accounts.EntryOther, e.Kind)
		}
	}
	require.Greater(t, matched, 200)
}
