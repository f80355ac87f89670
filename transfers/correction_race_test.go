package transfers

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// correctionRace is a race of recorders that book one packet late, request by request. Between
// the requests the packet's peers are closed and opened.
type correctionRace struct {
	t      *testing.T
	ledger *embedded.Ledger
	book   *accounts.Book
	assets map[uint32]*assetInfo
	kind   Kind
	packet Packet
	runs   []*operation // of each recorder; nil if it has an answer
	closed map[accounts.PeerAccount]ledger.ID
	ids    uint64
}

// raceShapes are the packets by name.
func raceShapes(alice, bob, bobEUR, us accounts.PeerAccount) map[string]Packet {
	return map[string]Packet{
		"no fee":     {From: alice, To: bob, In: 100, Out: 100},
		"fee":        {From: alice, To: bob, In: 100, Out: 90},
		"conversion": {From: alice, To: bobEUR, In: 100, Out: 7, Dust: 3},
		"back":       {From: alice, To: alice, In: 100, Out: 90},
		"loss":       {From: alice, To: bob, In: 100, Out: 130},
		"from us":    {From: us, To: bob, In: 100, Out: 90},
		"to us":      {From: alice, To: us, In: 100, Out: 90},
	}
}

// newRace prepares a packet and lets its hold expire; a packet to be forwarded is not prepared.
func newRace(t *testing.T, random *rand.Rand, shape string, kind Kind) *correctionRace {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	r := &correctionRace{
		t: t, kind: kind, assets: make(map[uint32]*assetInfo), closed: make(map[accounts.PeerAccount]ledger.ID), ids: 1 << 20,
		ledger: embedded.New(embedded.WithClock(func() time.Time { return now })),
	}
	usd, eur := accounts.Asset{Code: "USD", Ledger: 1, AllowLoss: true}, accounts.Asset{Code: "EUR", Ledger: 2}
	var err error
	r.book, err = accounts.NewBook(r.ledger, accounts.Config{Assets: []accounts.Asset{usd, eur}})
	require.NoError(t, err)
	// The line covers all, a part, or nothing of the packet.
	line := ledger.NewAmount(1000)
	peers, err := r.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: line},
		accounts.PeerConfig{ID: "bob", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: eur})
	require.NoError(t, err)
	us, err := r.book.OwnAccount(usd)
	require.NoError(t, err)
	for _, a := range r.book.Assets() {
		ids, _ := r.book.AssetIDs(a.Ledger)
		r.assets[a.Ledger] = &assetInfo{ids: ids, allowLoss: a.AllowLoss, book: r.book}
	}
	r.packet = raceShapes(peers[0], peers[1], peers[2], us)[shape]
	r.packet.ID, r.packet.Hold = ledger.NewID(1<<8, 7), time.Minute
	if kind == KindFulfill {
		r.finishOperation(r.newOperation(KindPrepare))
		now = now.Add(time.Hour)
		require.NoError(t, r.book.EnsureArrears(t.Context(), peers[0])) // a request, so that holds expire
	}
	if random.IntN(2) == 0 && !r.packet.From.IsOwn() {
		spend := ledger.Transfer{
			ID: r.nextID(), DebitAccountID: peers[0].ID(), CreditAccountID: r.assets[1].ids.Revenue,
			Amount: ledger.NewAmount(900 + 50*random.Uint64N(3)), Ledger: 1, Code: chart.CodePacket,
		}
		r.createTransfer(spend)
	}
	return r
}

func (r *correctionRace) nextID() ledger.ID { r.ids++; return ledger.NewID(r.ids, 0) }

func (r *correctionRace) createTransfer(t ledger.Transfer) {
	results, err := r.ledger.CreateTransfers(r.t.Context(), []ledger.Transfer{t})
	require.NoError(r.t, err)
	require.Equal(r.t, ledger.TransferCreated, results[0].Status)
}

func (r *correctionRace) newOperation(kind Kind) *operation {
	o := &operation{
		slot: new(resultSlot), kind: kind, phase: firstPhase(kind), packet: r.packet,
		fromAsset: r.assets[r.packet.From.Ledger()], toAsset: r.assets[r.packet.To.Ledger()],
	}
	o.legCount = uint8(len(o.appendLegs(nil)))
	return o
}

// sendRequest sends the next request of an operation. It reports whether the answer is final.
func (r *correctionRace) sendRequest(o *operation) (answered bool) {
	results, err := r.ledger.CreateTransfers(r.t.Context(), o.appendTransfers(nil))
	require.NoError(r.t, err)
	return !o.handleResults(results, 0)
}

func (r *correctionRace) finishOperation(o *operation) {
	for !r.sendRequest(o) {
		require.Less(r.t, o.phase, asOlder, "no older version is here")
	}
	require.NoError(r.t, o.slot.err)
}

// toggleAccount closes a peer's account, or opens it again.
func (r *correctionRace) toggleAccount(a accounts.PeerAccount) {
	if a.IsOwn() {
		return
	}
	if closing, closed := r.closed[a]; closed {
		delete(r.closed, a)
		r.createTransfer(ledger.Transfer{ID: r.nextID(), PendingID: closing, Flags: ledger.TransferVoidPending})
		return
	}
	r.closed[a] = r.nextID()
	r.createTransfer(ledger.Transfer{
		ID: r.closed[a], DebitAccountID: a.ID(), CreditAccountID: r.assets[a.Ledger()].ids.Control, Ledger: a.Ledger(),
		Code: chart.CodeClose, Flags: ledger.TransferPending | ledger.TransferClosingDebit,
	})
}

// takeStep takes a random step: an account changes, or a recorder sends, crashes or loses an answer.
func (r *correctionRace) takeStep(random *rand.Rand) {
	i := random.IntN(len(r.runs))
	switch random.IntN(6) {
	case 0:
		r.toggleAccount(r.packet.From)
	case 1:
		r.toggleAccount(r.packet.To)
	case 2: // it crashes, and the next one begins again
		r.runs[i] = r.newOperation(r.kind)
	case 3: // the answer gets lost
		if o := r.runs[i]; o != nil {
			_, err := r.ledger.CreateTransfers(r.t.Context(), o.appendTransfers(nil))
			require.NoError(r.t, err)
		}
	default:
		if o := r.runs[i]; o != nil && r.sendRequest(o) {
			if r.kind == KindFulfill {
				require.NoError(r.t, o.slot.err, "a late fulfill is never refused")
			}
			r.runs[i] = nil
		}
	}
}

// phaseCounts returns the number of the packet's rows by phase, without its hold.
func (r *correctionRace) phaseCounts() map[phase]int {
	rows, err := r.ledger.QueryTransfers(r.t.Context(), ledger.QueryFilter{UserData128: uint128.Uint128(r.packet.ID), Limit: 100})
	require.NoError(r.t, err)
	all := make(map[phase]int)
	for _, row := range rows {
		if ph := phase(row.ID.Lo & 15); ph != phaseHold {
			all[ph]++
		}
	}
	return all
}

// netBalance returns credits less debits over the accounts.
func (r *correctionRace) netBalance(ids ...ledger.ID) (total int64) {
	found, err := r.ledger.LookupAccounts(r.t.Context(), ids)
	require.NoError(r.t, err)
	require.Len(r.t, found, len(ids))
	for _, a := range found {
		total += int64(a.CreditsPosted.Lo) - int64(a.DebitsPosted.Lo)
	}
	return total
}

// runRace runs a random race.
func runRace(t *testing.T, random *rand.Rand, shape string, kind Kind) {
	t.Helper()
	r := newRace(t, random, shape, kind)
	p := &r.packet
	charged, paid := int64(p.In), int64(p.Out)
	sender, receiver := []ledger.ID{p.From.ID()}, []ledger.ID{p.To.ID(), r.assets[p.To.Ledger()].ids.Suspense}
	if !p.From.IsOwn() {
		sender = append(sender, r.book.PeerIDs(p.From).Arrears)
	}
	if p.From == p.To {
		sender, receiver = append(sender, receiver[1]), nil
		charged -= paid
	}
	before, beforeReceiver := r.netBalance(sender...), r.netBalance(receiver...)
	r.runs = []*operation{r.newOperation(kind), r.newOperation(kind), r.newOperation(kind)}
	for range random.IntN(40) {
		r.takeStep(random)
		require.LessOrEqual(t, len(r.phaseCounts()), 1, "phases %v", slices.Sorted(maps.Keys(r.phaseCounts())))
	}
	for i := range r.runs { // each recorder begins again, without faults
		o := r.newOperation(kind)
		for !r.sendRequest(o) {
		}
		require.Equal(t, len(r.phaseCounts()) > 0, o.slot.outcome.Done(), "recorder %d: %v", i, o.slot.err)
		if kind == KindFulfill {
			require.NoError(t, o.slot.err, "recorder %d", i)
			require.True(t, o.slot.late)
		}
	}
	booked := r.phaseCounts()
	require.LessOrEqual(t, len(booked), 1, "phases %v", booked)
	if len(booked) == 0 {
		require.Equal(t, KindForward, kind)
		charged, paid = 0, 0
	}
	if !p.From.IsOwn() {
		require.Equal(t, before-charged, r.netBalance(sender...), "the sender, its arrears too")
	}
	if len(receiver) > 0 && !p.To.IsOwn() {
		require.Equal(t, beforeReceiver+paid, r.netBalance(receiver...), "the receiver, with the amount in suspense")
	}
	waits := booked[phaseWithoutReceiver]+booked[phaseWithoutBoth] > 0
	require.Equal(t, waits, r.netBalance(r.assets[p.To.Ledger()].ids.Suspense) > 0)
	r.requireReleasable(waits)
	for ph, rows := range booked {
		collecting := 0
		if (ph == phaseCorrection || ph == phaseWithoutReceiver) && !p.From.IsOwn() {
			collecting = 1
		}
		require.Equal(t, int(r.newOperation(kind).legCount)+collecting, rows, "legs under phase %d", ph)
	}
	ledgertest.RequireConserved(t, r.ledger)
}

// requireReleasable requires that the owner of the money in suspense can be found from the
// rows.
func (r *correctionRace) requireReleasable(waits bool) {
	if !waits {
		return
	}
	rows, err := r.ledger.QueryTransfers(r.t.Context(), ledger.QueryFilter{Code: chart.CodeCorrection, Limit: 100})
	require.NoError(r.t, err)
	found := uint64(0)
	for _, row := range rows {
		if row.CreditAccountID != r.assets[row.Ledger].ids.Suspense {
			continue
		}
		require.Equal(r.t, r.packet.ID, ledger.ID(row.UserData128))
		hold := row.ID
		hold.Lo &^= 15
		holds, err := r.ledger.LookupTransfers(r.t.Context(), []ledger.ID{hold})
		require.NoError(r.t, err)
		require.Len(r.t, holds, 1)
		require.Equal(r.t, r.packet.To.ID(), holds[0].CreditAccountID)
		require.Equal(r.t, row.Amount, holds[0].Amount)
		found += row.Amount.Lo
	}
	require.Equal(r.t, r.packet.Out, found)
}

// Three recorders crash and lose answers, and accounts are closed and opened between their
// requests. A late fulfill is booked once, and a forward at most once.
func TestCorrectionsOfManyRecorders(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
	shapes := slices.Sorted(maps.Keys(raceShapes(accounts.PeerAccount{}, accounts.PeerAccount{}, accounts.PeerAccount{}, accounts.PeerAccount{})))
	for range 150 {
		for _, shape := range shapes {
			for _, kind := range []Kind{KindFulfill, KindForward} {
				runRace(t, random, shape, kind)
			}
		}
	}
}
