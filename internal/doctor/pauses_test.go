package doctor

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// Paused rails and stopped payments are found until they end, and the doctor writes nothing.
func TestPausedPayments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newBooksFixture(t, "alice")
	engine, err := settlement.NewEngine(s.ledger, s.book, settlement.Config{Manual: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close(ctx)) }()
	require.Empty(t, listCodes(Examine(ctx, s.subject)))

	require.NoError(t, engine.PauseRail(ctx, "bank"))
	require.NoError(t, engine.StopPayments(ctx))
	before, err := s.ledger.QueryTransfers(ctx, ledger.QueryFilter{Limit: 1000})
	require.NoError(t, err)
	r := Examine(ctx, s.subject)
	require.Equal(t, []Code{PaymentsPaused}, listCodes(r))
	found := findFinding(t, r, PaymentsPaused)
	require.Equal(t, Warning, found.Level)
	require.Equal(t, "payments", found.Subject)
	require.Regexp(t, `^rail "bank" is paused in USD/2 since \S+ \S+ UTC, all payments in USD/2 are stopped since \S+ \S+ UTC$`, found.Found)
	require.Contains(t, found.Remedy, "peerledger settle resume")
	require.Contains(t, found.Remedy, "peerledger settle start")
	after, err := s.ledger.QueryTransfers(ctx, ledger.QueryFilter{Limit: 1000})
	require.NoError(t, err)
	require.Equal(t, before, after)

	require.NoError(t, engine.StartPayments(ctx))
	require.Regexp(t, `^rail "bank" is paused in USD/2 since \S+ \S+ UTC$`, findFinding(t, Examine(ctx, s.subject), PaymentsPaused).Found)
	require.NoError(t, engine.ResumeRail(ctx, "bank"))
	require.Empty(t, listCodes(Examine(ctx, s.subject)))
}

// withoutPauses is a session that does not answer queries for pauses.
type withoutPauses struct{ kept }

func (s withoutPauses) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	if f.Code == chart.CodePause {
		return nil, errors.New("no answer")
	}
	return s.kept.GetAccountTransfers(ctx, f)
}

// Unreadable pauses are a finding.
func TestPausesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := newBooksFixture(t, "alice")
	s.subject.Open = func(context.Context) (Session, error) { return withoutPauses{kept{session{s.ledger}}}, nil }
	r := Examine(t.Context(), s.subject)
	require.Equal(t, []Code{BooksUnread}, listCodes(r))
	require.Equal(t, "payments", findFinding(t, r, BooksUnread).Subject)
	require.Contains(t, findFinding(t, r, BooksUnread).Found, "read the pauses: no answer")
}
