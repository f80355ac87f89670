package console

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bookcheck"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

func TestComputeRate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		before, now int64
		over        time.Duration
		want        string // of an asset of scale 2
	}{
		{100, 100, time.Second, "0.0000"},
		{100, 350, time.Second, "2.5000"},
		{0, 1, 3 * time.Second, "0.0033"}, // rounded down
		{0, 2, 3 * time.Second, "0.0066"},
		{0, 500, 500 * time.Millisecond, "10.0000"},
		{0, 0, 0, ""},
		{350, 100, time.Second, ""}, // never a wrong number
	} {
		tot := total{asset: accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}, rate: computeRate(big.NewInt(test.before), big.NewInt(test.now), test.over)}
		require.Equal(t, test.want, tot.formatRate(), test)
	}
	huge := new(big.Int).Lsh(big.NewInt(1), 127)
	require.Equal(t, new(big.Int).Mul(huge, big.NewInt(100)), computeRate(new(big.Int), huge, time.Second).perSecond)
}

// The rates of a look are of the look before it, and each look replaces its sums.
func TestRatesFollowTheLooks(t *testing.T) {
	t.Parallel()
	l, at := &looker{}, time.Unix(1000, 0)
	for i, want := range []string{"", "2.0000", "0.0000", "1.0000"} {
		k := &look{at: at.Add(time.Duration(i) * time.Second), totals: []total{{asset: accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}}}}
		k.totals[0].sent.SetInt64([]int64{0, 200, 200, 300}[i])
		l.noteRates(k)
		require.Equal(t, want, k.totals[0].formatRate())
	}
}

// A trial balance that does not balance is critical, and one that failed is unknown.
func TestAlertsOfTrials(t *testing.T) {
	t.Parallel()
	s := state{look: &look{alerts: []alert{{Finding: bookcheck.Finding{Status: bookcheck.Warning, Check: "a", Text: "first"}}}}, trials: []trial{
		{name: "USD/2", err: fmt.Errorf("wrong: %w", accounts.ErrUnbalanced)}, {name: "EUR/9", err: errors.New("away")}, {name: "XRP/6"}, {name: "X/1", err: accounts.ErrMoving},
	}}
	var got []string
	for _, a := range listAlerts(s) {
		v := viewAlert(&a)
		got = append(got, v.Status+" "+v.Asset+" "+v.Text)
	}
	require.Equal(t, []string{"critical USD/2 wrong: " + accounts.ErrUnbalanced.Error(), "warning  first", "unknown EUR/9 the trial balance is unknown: away", "unknown X/1 " + accounts.ErrMoving.Error()}, got)
	require.Len(t, s.look.alerts, 1, "the look never changes")
	v := viewAlerts(listAlerts(s), 2)
	require.Equal(t, []int{4, 2, 1, 1, 2}, []int{v.Count, len(v.Rows), v.Critical, v.Warning, v.Unknown})
}

// The last errors of orders are kept, in a bounded number.
func TestOrderErrorsAreBounded(t *testing.T) {
	t.Parallel()
	var e orderErrors
	for i := range uint64(3*maxOrderErrors + 1) {
		e.note([]settlement.OpenOrder{{Order: settlement.Order{ID: ledger.NewID(0, i+1)}, LastErr: errors.New("declined")}, {Order: settlement.Order{ID: ledger.NewID(1, i+1)}}})
		require.Equal(t, "declined", e.get(ledger.NewID(0, i+1)))
		require.LessOrEqual(t, len(e.texts), maxOrderErrors)
	}
	require.Empty(t, e.get(ledger.NewID(1, 1)))
}

// Suspense that cannot be read leaves the figures, and is unknown.
func TestUnknownSuspense(t *testing.T) {
	t.Parallel()
	k := &look{peers: []*peer{{name: "alice"}, {name: "bob", PeerEntry: accounts.PeerEntry{Incomplete: true}}}, suspenseErr: context.DeadlineExceeded}
	(&looker{cfg: Config{StuckAfter: time.Minute}}).findAlerts(k)
	require.Len(t, k.alerts, 1)
	require.Equal(t, bookcheck.Unknown, k.alerts[0].Status)
	require.Contains(t, k.alerts[0].Text, context.DeadlineExceeded.Error())
}
