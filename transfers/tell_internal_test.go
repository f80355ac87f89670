package transfers

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// An event gets its results once, and the publisher keeps none of them.
func TestPublisherReportsAndForgets(t *testing.T) {
	t.Parallel()
	ln := new(publisher)
	answered := func(n uint64, kind Kind) *operation {
		o := &operation{kind: kind, packet: Packet{ID: ledger.NewID(n, 0)}, slot: new(resultSlot)}
		o.slot.outcome, o.slot.err = ledger.OutcomeRefused, errors.New("refused")
		return o
	}
	b := &batch{answered: []*operation{answered(1, KindForward), answered(2, KindReject), answered(3, KindForward)}}
	forwards := func(o *operation) bool { return o.kind == KindForward }
	ln.reportResults(b, nil, forwards)
	require.Empty(t, ln.eventResults)
	var told [][]ledger.ID
	event := func(results []Result) {
		var ids []ledger.ID
		for _, r := range results {
			require.Error(t, r.Err)
			ids = append(ids, r.Packet.ID)
		}
		told = append(told, ids)
	}
	ln.reportResults(b, event, func(*operation) bool { return false })
	require.Empty(t, told, "about nothing")
	ln.reportResults(b, event, forwards)
	require.Empty(t, ln.eventResults)
	require.Equal(t, []Result{{}, {}}, ln.eventResults[:2], "what was told is not kept in memory")
	b.answered = b.answered[1:2]
	ln.reportResults(b, event, func(*operation) bool { return true })
	require.Equal(t, [][]ledger.ID{{ledger.NewID(1, 0), ledger.NewID(3, 0)}, {ledger.NewID(2, 0)}}, told)
}
