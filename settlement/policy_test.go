package settlement_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

func TestThresholdDue(t *testing.T) {
	t.Parallel()
	policy := settlement.Threshold{At: units(100), SettleTo: units(20), Minimum: units(5)}
	for name, c := range map[string]struct {
		payable, prepaid, want uint64
	}{
		"nothing owed":              {0, 0, 0},
		"below":                     {99, 0, 0},
		"at":                        {100, 0, 80},
		"above":                     {150, 0, 130},
		"prepaid does not count":    {150, 51, 0},
		"prepaid is not paid back":  {150, 50, 80},
		"prepaid alone":             {500, 500, 0},
		"prepaid, and a packet now": {501, 500, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			due := policy.Due(accounts.Balance{Payable: units(c.payable), Prepaid: units(c.prepaid)})
			require.Equal(t, units(c.want), due.Amount)
			if c.want > 0 {
				require.Equal(t, units(5), due.Minimum)
			}
		})
	}
}

func TestThresholdValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at, to, least uint64
		field         string
	}{
		"plain":                    {100, 20, 0, ""},
		"to nothing":               {1, 0, 0, ""},
		"minimum as large as can":  {100, 20, 80, ""},
		"zero":                     {0, 0, 0, "SettleTo"},
		"settle to the threshold":  {100, 100, 0, "SettleTo"},
		"settle to above":          {100, 101, 0, "SettleTo"},
		"minimum never reached at": {100, 20, 81, "Minimum"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := settlement.Threshold{At: units(c.at), SettleTo: units(c.to), Minimum: units(c.least)}.Validate()
			if c.field == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, accounts.ErrInvalid)
			var field *accounts.FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, c.field, field.Field)
		})
	}
}

func TestConfigValidateReportsAllFaults(t *testing.T) {
	t.Parallel()
	require.NoError(t, settlement.Config{}.Validate())
	err := settlement.Config{
		Policy:      func(accounts.Account) settlement.Policy { return at100 },
		HookTimeout: -1, RetryAfter: -1, RetryAtMost: -1, RearmAfter: -1, Sweep: -1, Concurrency: -1,
	}.Validate()
	var fields []string
	for _, fault := range err.(interface{ Unwrap() []error }).Unwrap() {
		var field *accounts.FieldError
		require.True(t, errors.As(fault, &field))
		fields = append(fields, field.Field)
	}
	require.Equal(t, []string{
		"Settler", "HookTimeout", "RetryAfter", "RetryAtMost", "RearmAfter", "Sweep", "Concurrency",
	}, fields)
	_, err = settlement.NewEngine(nil, nil, settlement.Config{Sweep: -1})
	require.ErrorIs(t, err, accounts.ErrInvalid)
}
