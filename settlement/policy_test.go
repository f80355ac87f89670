package settlement_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// inputOwing is the input for a peer with a payable and a prepayment.
func inputOwing(payable, prepaid uint64) settlement.PolicyInput {
	return settlement.PolicyInput{Balance: accounts.Balance{
		Payable: units(payable), Prepaid: units(prepaid), Headroom: units(payable), Earned: units(payable - prepaid),
	}}
}

func TestThresholdDue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payable, prepaid, want, pressed uint64
	}{
		"nothing owed":              {0, 0, 0, 0},
		"no more than stays owed":   {20, 0, 0, 0},
		"below":                     {99, 0, 0, 79},
		"at":                        {100, 0, 80, 80},
		"above":                     {150, 0, 130, 130},
		"prepaid does not count":    {150, 51, 0, 79},
		"prepaid is not paid back":  {150, 50, 80, 80},
		"prepaid alone":             {500, 500, 0, 0},
		"prepaid, and a packet now": {501, 500, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inputOwing(c.payable, c.prepaid)
			require.Equal(t, settlement.PaymentRequest{Amount: units(c.want)}, at100.Due(s))
			s.Urgent = true
			require.Equal(t, settlement.PaymentRequest{Amount: units(c.pressed)}, at100.Due(s))
		})
	}
}

func TestPoliciesOfTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	every, idle := settlement.Every{After: time.Hour, SettleTo: units(5)}, settlement.Idle{After: time.Hour, SettleTo: units(5)}
	for name, c := range map[string]struct {
		owed          uint64
		waited, quiet time.Duration
		pressed       bool
		every, idle   uint64
	}{
		"too soon":                   {50, time.Hour - 1, time.Hour - 1, false, 0, 0},
		"owed long enough":           {50, time.Hour, 0, false, 45, 0},
		"quiet long enough":          {50, 0, time.Hour, false, 0, 45},
		"both":                       {50, 2 * time.Hour, 2 * time.Hour, false, 45, 45},
		"nothing owed":               {0, 2 * time.Hour, 2 * time.Hour, false, 0, 0},
		"no more than stays owed":    {5, 2 * time.Hour, 2 * time.Hour, false, 0, 0},
		"pressed":                    {50, 0, 0, true, 45, 45},
		"pressed, but nothing to do": {5, 0, 0, true, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inputOwing(c.owed, 0)
			s.Now, s.OwedSince, s.ActiveAt, s.Urgent = now, now.Add(-c.waited), now.Add(-c.quiet), c.pressed
			require.Equal(t, units(c.every), every.Due(s).Amount)
			require.Equal(t, units(c.idle), idle.Due(s).Amount)
		})
	}
	s := inputOwing(50, 0)
	s.Now = now
	require.Equal(t, units(45), every.Due(s).Amount, "what is not known is long ago")
}

func TestCombinedPolicies(t *testing.T) {
	t.Parallel()
	daily := settlement.Every{After: 24 * time.Hour}
	policy := settlement.FirstOf{
		settlement.AtLeast{Amount: units(60), Of: at100},
		settlement.AtLeast{Amount: units(10), Of: daily},
	}
	now := time.Now()
	for name, c := range map[string]struct {
		owed, headroom uint64
		waited         time.Duration
		want           settlement.PaymentRequest
	}{
		"neither":                          {99, 99, time.Hour, settlement.PaymentRequest{}},
		"the first":                        {100, 100, time.Hour, settlement.PaymentRequest{Amount: units(80), Minimum: units(60)}},
		"the second":                       {99, 99, 24 * time.Hour, settlement.PaymentRequest{Amount: units(99), Minimum: units(10)}},
		"both":                             {100, 100, 24 * time.Hour, settlement.PaymentRequest{Amount: units(80), Minimum: units(60)}},
		"too little for the first":         {100, 50, 24 * time.Hour, settlement.PaymentRequest{Amount: units(100), Minimum: units(10)}},
		"too little for both":              {100, 9, 24 * time.Hour, settlement.PaymentRequest{}},
		"less than the second is bothered": {9, 9, 24 * time.Hour, settlement.PaymentRequest{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inputOwing(c.owed, 0)
			s.Headroom, s.Now, s.OwedSince = units(c.headroom), now, now.Add(-c.waited)
			require.Equal(t, c.want, policy.Due(s))
		})
	}
	twice := settlement.AtLeast{Amount: units(10), Of: settlement.AtLeast{Amount: units(60), Of: at100}}
	require.Equal(t, units(60), twice.Due(inputOwing(100, 0)).Minimum, "the larger one holds")
}

func TestImpossiblePolicies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy settlement.Policy
		fields string
	}{
		"threshold":                 {at100, ""},
		"threshold to nothing":      {settlement.Threshold{SettleThreshold: units(1)}, ""},
		"no threshold":              {settlement.Threshold{}, "SettleTo"},
		"settle to the threshold":   {settlement.Threshold{SettleThreshold: units(100), SettleTo: units(100)}, "SettleTo"},
		"settle to above":           {settlement.Threshold{SettleThreshold: units(100), SettleTo: units(101)}, "SettleTo"},
		"every":                     {settlement.Every{After: 1}, ""},
		"every nothing":             {settlement.Every{}, "After"},
		"idle backwards":            {settlement.Idle{After: -1}, "After"},
		"minimum as large as can":   {settlement.AtLeast{Amount: units(80), Of: at100}, ""},
		"minimum never reached at":  {settlement.AtLeast{Amount: units(81), Of: at100}, "AtLeast.Amount"},
		"of a member":               {settlement.AtLeast{Amount: units(81), Of: settlement.FirstOf{settlement.Idle{After: 1}, at100}}, "AtLeast.Amount"},
		"of a minimum":              {settlement.AtLeast{Amount: units(81), Of: settlement.AtLeast{Amount: units(1), Of: at100}}, "AtLeast.Amount"},
		"minimum of nothing":        {settlement.AtLeast{Of: at100}, "AtLeast.Amount"},
		"minimum of no policy":      {settlement.AtLeast{Amount: units(1)}, "AtLeast.Of"},
		"first of none":             {settlement.FirstOf{}, "FirstOf"},
		"first of nil":              {settlement.FirstOf{at100, nil}, "FirstOf[1]"},
		"first of impossible ones":  {settlement.FirstOf{settlement.Every{}, settlement.Threshold{}}, "After SettleTo"},
		"minimum of impossible one": {settlement.AtLeast{Amount: units(1), Of: settlement.Every{}}, "After"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			_, err := settlement.NewEngine(w.ledger, w.book, manualConfig(newRail(), c.policy))
			if c.fields == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, accounts.ErrInvalid)
			require.ErrorContains(t, err, "Policies.Default")
			require.Equal(t, strings.Fields(c.fields), fieldsOf(err))
		})
	}
}

// fieldsOf returns the fields of all FieldErrors in an error.
func fieldsOf(err error) (fields []string) {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case *accounts.FieldError:
		return []string{e.Field}
	case interface{ Unwrap() []error }:
		for _, each := range e.Unwrap() {
			fields = append(fields, fieldsOf(each)...)
		}
	case interface{ Unwrap() error }:
		return fieldsOf(e.Unwrap())
	}
	return fields
}

func TestRules(t *testing.T) {
	t.Parallel()
	eur := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2}
	rules := accounts.Rules[string]{
		PeerAsset: map[accounts.PeerAsset]string{{Peer: "alice", Asset: eur}: "alice in euros"},
		Peer:      map[string]string{"alice": "alice", "nobody": ""},
		Asset:     map[accounts.Asset]string{eur: "euros"},
		Default:   "everybody else",
	}
	require.Equal(t, "alice in euros", rules.For("alice", eur))
	require.Equal(t, "alice", rules.For("alice", usd))
	require.Equal(t, "euros", rules.For("bob", eur))
	require.Equal(t, "everybody else", rules.For("bob", usd))
	require.Empty(t, rules.For("nobody", usd), "an entry decides, even an empty one")
	require.Empty(t, settlement.Policies{}.For("bob", usd))

	// An account gets the policy of its rule.
	w, r := newWorld(t, "bob", "carol", "dave"), newRail()
	cfg := manualConfig(r, settlement.Threshold{SettleThreshold: units(50)})
	cfg.Policies.Asset = map[accounts.Asset]settlement.Policy{usd: settlement.Threshold{SettleThreshold: units(100)}}
	cfg.Policies.Peer = map[string]settlement.Policy{"carol": nil, "dave": settlement.Threshold{SettleThreshold: units(1)}}
	cfg.Policies.PeerAsset = map[accounts.PeerAsset]settlement.Policy{{Peer: "bob", Asset: usd}: settlement.Threshold{SettleThreshold: units(60)}}
	cfg.Rails.Peer = map[string]*settlement.Rail{"dave": nil}
	for _, a := range w.peers {
		w.earn(a, 60)
	}
	paid, err := w.engine(cfg).Settle(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Len(t, paid, 1)
	require.Equal(t, w.peers[1], paid[0].Order.Account, "bob's own threshold is reached, and alone has a rail")
}

func TestConfigValidateReportsAllFaults(t *testing.T) {
	t.Parallel()
	require.NoError(t, settlement.Config{}.Validate())
	err := settlement.Config{
		Policies: settlement.Policies{Default: at100}, PositionThresholds: accounts.Rules[settlement.PositionThresholds]{Default: settlement.PositionThresholds{Margin: units(1)}},
		Lease: -1, RetryInitialInterval: -1, RetryMaxInterval: -1, OrderCooldown: -1, StuckAfter: -1, CheckCooldown: -1, SweepInterval: -1,
	}.Validate()
	require.Equal(t, []string{
		"Rails", "Lease", "RetryInitialInterval", "RetryMaxInterval", "OrderCooldown", "StuckAfter", "CheckCooldown", "SweepInterval", "Margin",
	}, fieldsOf(err))
	err = settlement.Config{Rails: settlement.Rails{Default: &settlement.Rail{
		Timeout: -1, Concurrency: -1, BreakerThreshold: -1, BreakerTimeout: -1,
	}}}.Validate()
	require.Equal(t, []string{"Settler", "Timeout", "Concurrency", "BreakerThreshold", "BreakerTimeout"}, fieldsOf(err))
	_, err = settlement.NewEngine(nil, nil, settlement.Config{SweepInterval: -1})
	require.ErrorIs(t, err, accounts.ErrInvalid)
}

func TestRulesThatNobodyIsUnder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := manualConfig(newRail(), at100)
	unknown := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	cfg.Policies.Asset = map[accounts.Asset]settlement.Policy{unknown: at100}
	cfg.Rails.PeerAsset = map[accounts.PeerAsset]*settlement.Rail{{Peer: "alice", Asset: unknown}: cfg.Rails.Default}
	_, err := settlement.NewEngine(w.ledger, w.book, cfg)
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	require.ErrorContains(t, err, "Rails")
	require.ErrorContains(t, err, "Policies")

	cfg = manualConfig(newRail(), at100)
	cfg.Rails.Peer = map[string]*settlement.Rail{"alice": {Settler: newRail()}}
	_, err = settlement.NewEngine(w.ledger, w.book, cfg)
	require.ErrorIs(t, err, accounts.ErrInvalid)
	require.ErrorContains(t, err, "rename")
}

func ExampleFirstOf() {
	policy := settlement.AtLeast{
		Amount: units(10),
		Of: settlement.FirstOf{
			settlement.Threshold{SettleThreshold: units(100), SettleTo: units(20)},
			settlement.Every{After: 24 * time.Hour},
		},
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	for _, owed := range []uint64{5, 60, 100} {
		s := inputOwing(owed, 0)
		s.Now, s.OwedSince = time.Now(), yesterday
		d := policy.Due(s)
		fmt.Println(owed, "owed for a day: pay", d.Amount, "if it is at least", d.Minimum)
	}
	// Output:
	// 5 owed for a day: pay 5 if it is at least 10
	// 60 owed for a day: pay 60 if it is at least 10
	// 100 owed for a day: pay 80 if it is at least 10
}
