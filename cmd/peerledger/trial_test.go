package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

func TestTrialBalance(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	table := s.runOK(t, "trial-balance")
	require.Regexp(t, `USD/2 │ peer +│ +2 │ +30.01 │ +130.00 │ +0.00 │ +0.00 `, table)
	require.Regexp(t, `USD/2 │ total +│ +14 │ +130.01 │ +130.01 │ +0.00 │ +0.00 `, table)
	list := readRows[trialRow](t, s, "trial-balance", "--asset", "EUR")
	require.Len(t, list, 11)
	total := list[len(list)-1]
	require.Equal(t, trialRow{
		Asset: "EUR/2", Kind: "total", Accounts: 10, DebitsPosted: "0.00", CreditsPosted: "0.00", DebitsPending: "0.00", CreditsPending: "0.00",
	}, total)
	require.Equal(t, statusUsage, s.runCommand(t, "trial-balance", "--asset", "GBP").status)
}

// spoilt is a ledger that has lost a unit of an account.
type spoilt struct{ ledger.Ledger }

func (s spoilt) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	found, err := s.Ledger.QueryAccounts(ctx, filter)
	if len(found) > 0 {
		found[0].DebitsPosted = ledger.NewAmount(1)
	}
	return found, err
}

func TestTrialBalanceThatDoesNotBalance(t *testing.T) {
	t.Parallel()
	var out, complaints bytes.Buffer
	a := &app{stdout: &out, stderr: &complaints, getenv: func(string) string { return "" }}
	cfg, err := parseConfig([]byte(configuration))
	require.NoError(t, err)
	book, err := accounts.NewBook(spoilt{embedded.New()}, cfg.toBookConfig())
	require.NoError(t, err)
	_, err = book.Provision(t.Context())
	require.NoError(t, err)
	cmd := a.newTrialBalanceCommand()
	cmd.SetContext(t.Context())
	err = (&session{app: a, cfg: cfg, book: book}).trialBalance(cmd, "USD")
	require.Equal(t, statusFound, exitStatus(err))
	require.Regexp(t, `total +│ +6 │ +0.01 │ +0.00 `, out.String(), "the numbers are shown")
	require.Contains(t, complaints.String(), "debits and credits differ: USD/2 on ledger 1: posted 0.01 and 0.00, pending 0.00 and 0.00")
}

// moving is a ledger whose accounts change all the time, with small pages.
type moving struct {
	ledger.Ledger
	moment *uint64
}

func (m moving) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	if filter.Limit > 4 {
		return nil, ledger.ErrTooMuchData
	}
	return m.Ledger.QueryAccounts(ctx, filter)
}

func (m moving) QueryTransfers(context.Context, ledger.QueryFilter) ([]ledger.Transfer, error) {
	*m.moment++
	return []ledger.Transfer{{Timestamp: *m.moment}}, nil
}

// Sums of different moments are not shown.
func TestTrialBalanceWhileMuchMoves(t *testing.T) {
	t.Parallel()
	var out, complaints bytes.Buffer
	a := &app{stdout: &out, stderr: &complaints, getenv: func(string) string { return "" }}
	cfg, err := parseConfig([]byte(configuration))
	require.NoError(t, err)
	l := embedded.New()
	book, err := accounts.NewBook(l, cfg.toBookConfig())
	require.NoError(t, err)
	_, err = book.Provision(t.Context())
	require.NoError(t, err)
	book, err = accounts.NewBook(moving{l, new(uint64)}, cfg.toBookConfig())
	require.NoError(t, err)
	cmd := a.newTrialBalanceCommand()
	cmd.SetContext(t.Context())
	err = (&session{app: a, cfg: cfg, book: book}).trialBalance(cmd, "")
	require.ErrorIs(t, err, accounts.ErrMoving)
	require.Equal(t, statusFailed, exitStatus(err))
	require.Empty(t, out.String())
}
