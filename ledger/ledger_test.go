package ledger_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

func TestChainOutcome(t *testing.T) {
	t.Parallel()
	const (
		created = ledger.TransferCreated
		failed  = ledger.TransferLinkedEventFailed
		exists  = ledger.TransferExists
	)
	type statuses = []ledger.CreateTransferStatus
	tests := map[string]struct {
		statuses statuses
		want     ledger.Chain
		conflict bool
	}{
		"all created":       {statuses{created, created}, ledger.Chain{Outcome: ledger.OutcomeApplied, Breaker: -1, Status: created}, false},
		"single":            {statuses{created}, ledger.Chain{Outcome: ledger.OutcomeApplied, Breaker: -1, Status: created}, false},
		"applied before":    {statuses{exists, failed}, ledger.Chain{Outcome: ledger.OutcomeAlreadyApplied, Status: exists}, false},
		"exists later":      {statuses{failed, exists, failed}, ledger.Chain{Outcome: ledger.OutcomeRefused, Breaker: 1, Status: exists}, true},
		"another under it":  {statuses{ledger.TransferExistsWithDifferentLedger, failed}, ledger.Chain{Outcome: ledger.OutcomeRefused, Status: ledger.TransferExistsWithDifferentLedger}, true},
		"limit":             {statuses{failed, ledger.TransferExceedsCredits}, ledger.Chain{Outcome: ledger.OutcomeIDBurnt, Breaker: 1, Status: ledger.TransferExceedsCredits}, false},
		"refused earlier":   {statuses{ledger.TransferIDAlreadyFailed, failed}, ledger.Chain{Outcome: ledger.OutcomeIDBurnt, Status: ledger.TransferIDAlreadyFailed}, false},
		"wrong in itself":   {statuses{failed, ledger.TransferCodeMustNotBeZero}, ledger.Chain{Outcome: ledger.OutcomeRefused, Breaker: 1, Status: ledger.TransferCodeMustNotBeZero}, false},
		"broken and open":   {statuses{ledger.TransferExceedsDebits, ledger.TransferLinkedEventChainOpen}, ledger.Chain{Outcome: ledger.OutcomeIDBurnt, Status: ledger.TransferExceedsDebits}, false},
		"nothing":           {nil, ledger.Chain{Breaker: -1}, false},
		"a part of a chain": {statuses{failed, failed}, ledger.Chain{Breaker: -1}, false},
		"open":              {statuses{failed, ledger.TransferLinkedEventChainOpen}, ledger.Chain{Outcome: ledger.OutcomeRefused, Breaker: 1, Status: ledger.TransferLinkedEventChainOpen}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results := make([]ledger.CreateTransferResult, len(test.statuses))
			for i, s := range test.statuses {
				results[i].Status = s
			}
			got := ledger.ChainOutcome(results)
			require.Equal(t, test.want, got)
			require.Equal(t, test.conflict, got.Conflict())
		})
	}
}

// Every status is in exactly one class. Eight statuses mean a burnt id: the seven transient
// statuses, and id_already_failed afterwards.
func TestStatusesAreClassified(t *testing.T) {
	t.Parallel()
	count := map[ledger.Outcome]int{}
	conflicts := 0
	for _, s := range ledger.CreateTransferStatuses() {
		count[s.Outcome()]++
		err := error(&ledger.TransferError{Status: s})
		classes := 0
		for _, class := range []error{ledger.ErrIDBurnt, ledger.ErrIDConflict, ledger.ErrRefused} {
			if errors.Is(err, class) {
				classes++
			}
		}
		require.Equal(t, 1, classes, "%v", s)
		if s.Conflict() {
			conflicts++
			require.Contains(t, s.String(), "exists_with_different_")
		}
	}
	require.Equal(t, map[ledger.Outcome]int{
		ledger.OutcomeApplied: 1, ledger.OutcomeAlreadyApplied: 1, ledger.OutcomeIDBurnt: 8, ledger.OutcomeRefused: 58,
	}, count)
	require.Equal(t, 11, conflicts)

	conflicts = 0
	for _, s := range ledger.CreateAccountStatuses() {
		if s.Conflict() {
			conflicts++
			require.Contains(t, s.String(), "exists_with_different_")
			require.ErrorIs(t, &ledger.AccountError{Status: s}, ledger.ErrIDConflict)
		}
	}
	require.Equal(t, 6, conflicts)
	require.ErrorIs(t, &ledger.AccountError{Status: ledger.AccountCodeMustNotBeZero}, ledger.ErrRefused)
	require.Equal(t, "CreateTransferStatus(99)", ledger.CreateTransferStatus(99).String())
	require.Equal(t, "CreateAccountStatus(99)", ledger.CreateAccountStatus(99).String())
	require.Equal(t, "Outcome(9)", ledger.Outcome(9).String())
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	one, two := ledger.NewAmount(1), ledger.NewAmount(2)
	_, ok := ledger.AmountMax.Add(one)
	require.False(t, ok)
	_, ok = one.Sub(two)
	require.False(t, ok)
	require.Zero(t, one.SubFloor(two))
	require.Equal(t, one, two.SubFloor(one))
	require.Equal(t, one, two.Min(one))
	_, fits := ledger.AmountMax.Uint64()
	require.False(t, fits)
	sum, ok := ledger.NewAmount(1<<64 - 1).Add(one)
	require.True(t, ok)
	require.Equal(t, ledger.Amount(uint128.New(0, 1)), sum)

	for _, good := range []string{"0", "7", "340282366920938463463374607431768211455"} {
		a, err := ledger.ParseAmount(good)
		require.NoError(t, err)
		require.Equal(t, good, a.String())
		require.Equal(t, good, a.Big().String())
	}
	for _, bad := range []string{"", "-1", "+1", "1.5", "1_000", " 1", "0x1", "340282366920938463463374607431768211456"} {
		_, err := ledger.ParseAmount(bad)
		require.ErrorIs(t, err, ledger.ErrSyntax, bad)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	id := ledger.NewID(0x1122334455667788, 0x99aabbccddeeff00)
	require.Equal(t, "99aabbccddeeff001122334455667788", id.String())
	parsed, err := ledger.ParseID(id.String())
	require.NoError(t, err)
	require.Equal(t, id, parsed)
	short, err := ledger.ParseID("f")
	require.NoError(t, err)
	require.Equal(t, ledger.NewID(15, 0), short)
	for _, bad := range []string{"", "g", "0x1", "1ffffffffffffffffffffffffffffffff"} {
		_, err := ledger.ParseID(bad)
		require.ErrorIs(t, err, ledger.ErrSyntax, bad)
	}
	require.Equal(t, ledger.IDMax, ledger.IDFromBytes(ledger.IDMax.Bytes()))
	require.Equal(t, -1, ledger.NewID(9, 0).Compare(ledger.NewID(0, 1)))
}

// A 128-bit number as a JSON number would lose digits in most readers.
func TestNumbersTravelAsText(t *testing.T) {
	t.Parallel()
	type record struct {
		ID     ledger.ID
		Amount ledger.Amount
	}
	in := record{ledger.NewID(1, 2), ledger.AmountMax}
	text, err := json.Marshal(in)
	require.NoError(t, err)
	require.JSONEq(t, `{"ID":"00000000000000020000000000000001","Amount":"340282366920938463463374607431768211455"}`, string(text))
	var out record
	require.NoError(t, json.Unmarshal(text, &out))
	require.Equal(t, in, out)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"Amount":"-1"}`), &out), ledger.ErrSyntax)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"ID":"-1"}`), &out), ledger.ErrSyntax)
	require.Equal(t, in, out, "a failed read changes nothing")
}

func TestFilters(t *testing.T) {
	t.Parallel()
	good := ledger.AccountFilter{AccountID: ledger.NewID(1, 0), Limit: 1, Flags: ledger.AccountFilterDebits}
	require.True(t, good.Valid())
	for name, change := range map[string]func(*ledger.AccountFilter){
		"no account":    func(f *ledger.AccountFilter) { f.AccountID = ledger.ID{} },
		"largest id":    func(f *ledger.AccountFilter) { f.AccountID = ledger.IDMax },
		"no limit":      func(f *ledger.AccountFilter) { f.Limit = 0 },
		"no side":       func(f *ledger.AccountFilter) { f.Flags = ledger.AccountFilterReversed },
		"unknown flag":  func(f *ledger.AccountFilter) { f.Flags |= 8 },
		"reserved":      func(f *ledger.AccountFilter) { f.Reserved[57] = 1 },
		"time too high": func(f *ledger.AccountFilter) { f.TimestampMax = ledger.TimestampMax + 1 },
		"no range":      func(f *ledger.AccountFilter) { f.TimestampMin, f.TimestampMax = 2, 1 },
	} {
		f := good
		change(&f)
		require.False(t, f.Valid(), name)
	}
	query := ledger.QueryFilter{Limit: 1, Flags: ledger.QueryFilterReversed, TimestampMin: 5}
	require.True(t, query.Valid())
	query.Flags = 2
	require.False(t, query.Valid())
	events := ledger.ChangeEventsFilter{Limit: 1}
	require.True(t, events.Valid())
	events.Reserved[0] = 1
	require.False(t, events.Valid())
	require.Equal(t, "two_phase_expired", ledger.ChangeEventTwoPhaseExpired.String())
	require.Equal(t, "ChangeEventType(9)", ledger.ChangeEventType(9).String())
}
