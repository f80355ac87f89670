package transfers_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

func TestNamesOfKinds(t *testing.T) {
	t.Parallel()
	for kind, want := range map[transfers.Kind]string{
		0: "Kind(0)", transfers.KindPrepare: "prepare", transfers.KindFulfill: "fulfill",
		transfers.KindReject: "reject", transfers.KindForward: "forward", transfers.KindForward + 1: "Kind(5)",
	} {
		require.Equal(t, want, kind.String())
	}
}

func TestCodeOfErrors(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		nil: "", transfers.ErrCreditLine: "T04", accounts.ErrPeerClosed: "T04", accounts.ErrSuspended: "T04",
		transfers.ErrInArrears: "T04", transfers.ErrPayableCap: "T04", transfers.ErrInFlightShare: "T04",
		transfers.ErrBacklogFull: "T03", transfers.ErrAmounts: "R01", transfers.ErrHoldTooShort: "R02",
		transfers.ErrLimitsNotLoaded: "T00", ledger.ErrOutcomeUnknown: "T00", errors.New("another"): "T00",
	} {
		require.Equal(t, want, transfers.ILPCode(err), "%v", err)
	}
}

// The sender of a packet that grows beyond 64 bits in a conversion gets F08 with both amounts.
func TestCodeOfAConversionBeyondAPacket(t *testing.T) {
	t.Parallel()
	whole, nano := accounts.Asset{Code: "USD", Scale: 0, Ledger: 1}, accounts.Asset{Code: "USD", Scale: 9, Ledger: 2}
	converter, err := accounts.NewConverter(whole, nano, decimal.NewFromInt(1))
	require.NoError(t, err)
	_, _, err = converter.ConvertPacket(20_000_000_000)
	err = fmt.Errorf("forward: %w", err)
	require.Equal(t, "F08", transfers.ILPCode(err))
	data, err := ilp.DecodeAmountTooLarge(transfers.RejectData(err))
	require.NoError(t, err)
	require.Equal(t, ilp.AmountTooLarge{Received: 20_000_000_000, Maximum: 18_446_744_073}, data)
}

// A sender may not take an unknown outcome for a refusal: no error of one has a final code.
func TestUnknownOutcomesAreNeverFinal(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		ledger.ErrOutcomeUnknown, transfers.ErrAbandoned, transfers.ErrHoldExpired, transfers.ErrRecorderClosed, context.DeadlineExceeded,
		&transfers.RefusedError{Kind: transfers.KindPrepare, Cause: ledger.ErrIDBurnt}, &transfers.CloseError{},
		errors.Join(ledger.ErrOutcomeUnknown, transfers.ErrHoldTooShort),
	} {
		class := ilp.ClassOfCode(transfers.ILPCode(err))
		require.Contains(t, []ilp.CodeClass{ilp.ClassTemporary, ilp.ClassRelative}, class, "%v", err)
	}
}

func TestPacketOfAnUnknownAsset(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	eur := accounts.Asset{Code: "XXX", Scale: 2, Ledger: 77}
	other, err := accounts.NewBook(f.embedded, accounts.Config{Assets: []accounts.Asset{eur}})
	require.NoError(t, err)
	foreign, err := other.PeerAccount("alice", eur)
	require.NoError(t, err)
	for _, p := range []transfers.Packet{
		{From: foreign, To: f.bob, In: 1, Out: 1, Hold: time.Minute}, {From: f.alice, To: foreign, In: 1, Out: 1, Hold: time.Minute},
	} {
		_, err = f.recorder.Prepare(t.Context(), p)
		require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	}
	f.closeAndCheck(t)
}
