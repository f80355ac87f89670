package transfers

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// An event gets each result once. After the event the publisher's memory has no results.
func TestPublisherReportsAndForgets(t *testing.T) {
	t.Parallel()
	p := new(publisher)
	answered := func(n uint64, kind Kind) *operation {
		o := &operation{kind: kind, packet: Packet{ID: ledger.NewID(n, 0)}, slot: new(resultSlot)}
		o.slot.outcome, o.slot.err = ledger.OutcomeRefused, errors.New("refused")
		return o
	}
	b := &batch{answered: []*operation{answered(1, KindForward), answered(2, KindReject), answered(3, KindForward)}}
	forwards := func(o *operation) bool { return o.kind == KindForward }
	p.reportResults(b, nil, forwards)
	require.Empty(t, p.eventResults)
	var reported [][]ledger.ID
	event := func(results []Result) {
		var ids []ledger.ID
		for _, r := range results {
			require.Error(t, r.Err)
			ids = append(ids, r.Packet.ID)
		}
		reported = append(reported, ids)
	}
	p.reportResults(b, event, func(*operation) bool { return false })
	require.Empty(t, reported, "without results the event is not called")
	p.reportResults(b, event, forwards)
	require.Empty(t, p.eventResults)
	require.Equal(t, []Result{{}, {}}, p.eventResults[:2], "reported results are cleared")
	b.answered = b.answered[1:2]
	p.reportResults(b, event, func(*operation) bool { return true })
	require.Equal(t, [][]ledger.ID{{ledger.NewID(1, 0), ledger.NewID(3, 0)}, {ledger.NewID(2, 0)}}, reported)
}
