package server

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger"
)

// Neighbouring batches become one request of the ledger, except where a result of one batch would
// depend on the other.
func TestMergeOfBatches(t *testing.T) {
	t.Parallel()
	const plain, linked, imported = 0, ledger.TransferLinked, ledger.TransferImported
	for _, row := range []struct {
		name    string
		batches [][]ledger.TransferFlags
		want    []int // events of each request
	}{
		{"plain batches", [][]ledger.TransferFlags{{plain}, {plain, plain}, {plain}}, []int{4}},
		{"a chain within a batch", [][]ledger.TransferFlags{{linked, plain}, {plain}}, []int{3}},
		{"a chain left open", [][]ledger.TransferFlags{{plain}, {linked}, {plain}}, []int{2, 1}},
		{"a chain left open at the end", [][]ledger.TransferFlags{{plain}, {linked}}, []int{2}},
		{"imported after plain", [][]ledger.TransferFlags{{plain}, {plain}, {imported}}, []int{2, 1}},
		{"plain after imported", [][]ledger.TransferFlags{{imported}, {plain}, {plain}}, []int{1, 2}},
		{"two imported", [][]ledger.TransferFlags{{imported}, {imported}}, []int{1, 1}},
		{"imported in the middle of a batch", [][]ledger.TransferFlags{{plain}, {plain, imported}}, []int{1, 2}},
		{"empty batches", [][]ledger.TransferFlags{{}, {plain}, {}, {}, {plain}}, []int{2}},
		{"only empty batches", [][]ledger.TransferFlags{{}, {}}, []int{0}},
		{"an open chain, then an empty batch", [][]ledger.TransferFlags{{linked}, {}, {plain}}, []int{1, 1}},
	} {
		var transfers []ledger.Transfer
		var request batches
		for _, batch := range row.batches {
			request.counts = append(request.counts, len(batch))
			for _, flags := range batch {
				transfers = append(transfers, ledger.Transfer{ID: ledger.NewID(uint64(len(transfers)), 0), Flags: flags})
			}
		}
		request.elements = unsafecast.Bytes(transfers)
		var got []int
		answer, err := runCreate(request, func(tr *ledger.Transfer) eventFlags {
			return eventFlags{tr.Flags.Has(linked), tr.Flags.Has(imported)}
		}, uint32(ledger.TransferExists), func(part []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
			got = append(got, len(part))
			results := make([]ledger.CreateTransferResult, len(part))
			for i := range part {
				results[i].Timestamp = part[i].ID.Lo
			}
			return results, nil
		})
		require.NoError(t, err)
		require.Equal(t, row.want, got, row.name)
		require.Equal(t, request.counts, answer.counts, row.name)
		for i, r := range unsafecast.Records[ledger.CreateTransferResult](answer.elements) {
			require.Equal(t, uint64(i), r.Timestamp, "%s: the order of the results", row.name)
		}
	}
}
