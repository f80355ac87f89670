package peerledger_test

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// operations runs random packets, changes of lines, suspensions, settlements and
// corrections, with a model of each peer's position and line.
type operations struct {
	t      *testing.T
	random *rand.Rand
	client *peerledger.Client
	peers  []accounts.PeerAccount

	position map[accounts.PeerAccount]int64
	line     map[accounts.PeerAccount]int64
	held     []transfers.Packet
	counts   map[string]int
	last     int
}

func TestOperationsOnEmbedded(t *testing.T) {
	t.Parallel()
	for n := range 8 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			testOperations(t, embedded.New(), 1500)
		})
	}
}

// After every operation, positions and lines equal the model's, and no receivable exceeds
// its line. In the end debits equal credits, and statements add up to balances.
func testOperations(t *testing.T, l ledger.Ledger, steps int) {
	client, err := peerledger.New(l, peerledger.Config{
		Accounts: accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd}, SuspensionPollInterval: time.Millisecond},
		Settlement: settlement.Config{
			Rails: paidBy(&rail{}), Manual: true,
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(60), SettleTo: units(10)}},
		},
	})
	require.NoError(t, err)
	o := &operations{
		t: t, random: rand.New(rand.NewPCG(ledgertest.Seed(t), 13)), client: client,
		position: map[accounts.PeerAccount]int64{}, line: map[accounts.PeerAccount]int64{}, counts: map[string]int{},
	}
	var peers []accounts.PeerConfig
	for i := range 5 {
		peers = append(peers, accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: usd, CreditLine: ledger.NewAmount(uint64(i) * 300)})
	}
	o.peers, err = client.Provision(t.Context(), peers...)
	require.NoError(t, err)
	for i, p := range o.peers {
		o.line[p] = int64(i) * 300
	}
	kinds := []string{"prepared", "fulfilled", "rejected", "line", "suspended", "received", "paid", "settled", "adjusted", "refused"}
	isMissing := func(kind string) bool { return o.counts[kind] == 0 }
	for n := 0; n < steps || n < 20*steps && slices.ContainsFunc(kinds, isMissing); n++ { // a seed may draw a kind late
		o.step()
		o.requireLines()
	}
	for len(o.held) > 0 {
		o.resolve()
	}
	o.requireStatements()
	t.Log(o.counts)
	for _, operation := range kinds {
		require.Positive(t, o.counts[operation], operation)
	}
	ledgertest.RequireNothingHeld(t, l)
	require.NoError(t, client.Close(t.Context()))
}

func (o *operations) step() {
	o.t.Helper()
	ctx, p := o.t.Context(), o.peers[o.random.IntN(len(o.peers))]
	amount := o.random.Int64N(200) + 1
	units := ledger.NewAmount(uint64(amount))
	o.last++
	key := fmt.Sprint("key ", o.last)
	switch o.random.IntN(26) {
	default:
		o.prepare(p, uint64(amount))
	case 5, 6, 7, 15, 16, 17:
		if len(o.held) > 0 {
			o.resolve()
		}
	case 8:
		change, err := o.client.Book.SetCreditLine(ctx, p, ledger.NewAmount(o.random.Uint64N(2000)), accounts.WithPartialRevoke())
		if o.done("line", err, accounts.ErrSuspended) {
			after, _ := change.After.Uint64()
			o.line[p] = int64(after)
		}
	case 9:
		_, err := o.client.Book.RevokeCredit(ctx, p, units)
		if o.done("line", err, accounts.ErrSuspended, accounts.ErrLineInUse) {
			o.line[p] -= amount
		}
	case 10:
		var options []accounts.SuspendOption
		if o.random.IntN(2) == 0 {
			options = append(options, accounts.WithFreeRevoked())
		}
		err := o.client.Book.SuspendPeer(ctx, p, options...)
		o.done("suspended", err)
		b := o.balance(p)
		line, _ := b.CreditLine.Uint64()
		require.LessOrEqual(o.t, int64(line), o.line[p])
		o.line[p] = int64(line) // the unused part may be revoked
	case 11, 18:
		o.done("resumed", o.client.Book.ResumePeer(ctx, p))
	case 12:
		_, err := o.client.Settlement.RecordIncoming(ctx, settlement.IncomingPayment{Account: p, Key: key, Amount: units})
		if o.done("received", err) {
			o.position[p] += amount
		}
		_, err = o.client.Settlement.RecordOutgoing(ctx, settlement.OutgoingPayment{Account: p, Key: key, Amount: units})
		if o.done("paid", err, accounts.ErrNotCovered) {
			o.position[p] -= amount
		}
	case 14:
		payments, err := o.client.Settlement.Settle(ctx, o.peers...)
		o.done("checked", err)
		for _, paid := range payments {
			n, _ := paid.Paid.Uint64()
			o.position[paid.Order.Account] -= int64(n)
			o.counts["settled"]++
		}
	case 13:
		_, err := o.client.Book.Adjust(ctx, accounts.Adjustment{Account: p, Key: key, Debit: units, ReasonCode: 1})
		if o.done("adjusted", err, accounts.ErrNotCovered) {
			o.position[p] -= amount
		}
	}
}

// done counts an operation, and reports whether it succeeded. The operation may fail with one of
// the refusals; any other error fails the test.
func (o *operations) done(operation string, err error, refusals ...error) bool {
	o.t.Helper()
	if err == nil {
		o.counts[operation]++
		return true
	}
	for _, refusal := range refusals {
		if errors.Is(err, refusal) {
			o.counts["refused"]++
			return false
		}
	}
	require.NoError(o.t, err, operation)
	return false
}

func (o *operations) prepare(from accounts.PeerAccount, amount uint64) {
	o.t.Helper()
	to := o.peers[o.random.IntN(len(o.peers))]
	p := transfers.Packet{From: from, To: to, In: amount, Out: amount - amount/50, Hold: time.Hour}
	result, err := o.client.Recorder.Prepare(o.t.Context(), p)
	if o.done("prepared", err, transfers.ErrCreditLine, accounts.ErrSuspended) {
		o.held = append(o.held, result.Packet)
	}
}

// resolve fulfills or rejects a held packet.
func (o *operations) resolve() {
	o.t.Helper()
	i := o.random.IntN(len(o.held))
	p := o.held[i]
	o.held = append(o.held[:i], o.held[i+1:]...)
	if o.random.IntN(3) == 0 {
		_, err := o.client.Recorder.Reject(o.t.Context(), p)
		o.done("rejected", err)
		return
	}
	_, err := o.client.Recorder.Fulfill(o.t.Context(), p)
	o.done("fulfilled", err)
	o.position[p.From] -= int64(p.In)
	o.position[p.To] += int64(p.Out)
}

func (o *operations) balance(p accounts.PeerAccount) accounts.Balance {
	o.t.Helper()
	b, err := o.client.Book.Balance(o.t.Context(), p)
	require.NoError(o.t, err)
	return b
}

func (o *operations) requireLines() {
	o.t.Helper()
	balances, err := o.client.Book.Balances(o.t.Context(), o.peers...)
	require.NoError(o.t, err)
	for _, b := range balances {
		require.False(o.t, b.CreditLine.Less(b.Receivable), "%v owes %v beyond a line of %v", b.Account, b.Receivable, b.CreditLine)
		require.Equal(o.t, o.position[b.Account], b.Position().Int64(), b.Account)
		require.Equal(o.t, ledger.NewAmount(uint64(o.line[b.Account])), b.CreditLine, b.Account)
		require.LessOrEqual(o.t, -o.position[b.Account], o.line[b.Account])
	}
}

func (o *operations) requireStatements() {
	o.t.Helper()
	for _, p := range o.peers {
		s, err := o.client.Book.Statement(o.t.Context(), p, time.Time{}, time.Time{}, accounts.WithPageSize(1+o.random.IntN(50)))
		require.NoError(o.t, err)
		sum := new(big.Int)
		for e, err := range s.Entries(o.t.Context()) {
			require.NoError(o.t, err)
			sum.Add(sum, e.Amount)
		}
		b := o.balance(p)
		require.Equal(o.t, b.Position().String(), sum.String())
		require.Equal(o.t, b.Position().String(), s.Closing.Position.String())
		require.Equal(o.t, b.CreditLine, s.Closing.CreditLine)
	}
}
