package rfc0038_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// An engine that answers 404 for an account which it created for us has lost its store, and with it its keys. A settlement
// that was sent before without an answer may be paid: it is not sent again, as after KeyLifetime.
func TestUnansweredKeyIsNotSentToAnEngineThatForgot(t *testing.T) {
	t.Parallel()
	e, rail, url := newDroppingEngine(t)
	c := newConnector(t, url, "alice")
	c.earn(c.peers[0], 7000)
	_, err := c.engine.Settle(t.Context(), c.peers...)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	_, err = rail.WaitFrom(t.Context(), 0) // it is paid
	require.NoError(t, err)
	require.NoError(t, e.Restart(true))
	for range 3 {
		_, err = c.engine.Settle(t.Context(), c.peers...)
		require.ErrorIs(t, err, rfc0038.ErrEngineForgot)
	}
	require.Len(t, c.settler.Stuck(), 1)
	unpaid, _, err := e.CountOpen()
	require.NoError(t, err)
	require.Zero(t, unpaid)
	payments, err := rail.Payments()
	require.NoError(t, err)
	require.Len(t, payments, 1)
}

// A key without an answer waits for an operator after a 404, and its account is created. What the engine answers to
// the creation changes nothing.
func TestForgottenKeyWaits(t *testing.T) {
	t.Parallel()
	for name, creation := range map[string]http.HandlerFunc{"created": created, "unknown": status(500), "refused": status(400), "other": answerWith(201, "", `{"id":"other"}`)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, []http.HandlerFunc{created, answerRaw(""), status(404), creation, created, status(201)})
			order := b.order(1000)
			_, err := b.Settle(t.Context(), order)
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
			for range 3 {
				_, err = b.Settle(t.Context(), order)
				require.ErrorIs(t, err, rfc0038.ErrEngineForgot)
				require.ErrorIs(t, err, settlement.ErrPending)
			}
			settle := settleAlice + key1 + `{"amount":"1","scale":6}`
			require.Equal(t, []string{createAlice, settle, settle, createAlice}, b.paths())
			require.True(t, b.stuck[0].IsParked())
			answered, excerpt := b.stuck[0].Answer()
			require.Equal(t, 404, answered)
			require.Equal(t, "because", excerpt)
			require.NoError(t, b.Retry(order.ID), "the operator has found out that it is not paid")
			_, err = b.Settle(t.Context(), order)
			require.NoError(t, err)
		})
	}
}

// After an operator's Retry, and after answers that are final, nothing is unanswered: a 404 has the key sent again.
func TestAnsweredKeyIsSentAgainAfterUnknownAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, answerRaw(""), status(404), created, status(404), created, status(404), status(404), created, status(201)})
	order := b.order(1000)
	_, err := b.Settle(t.Context(), order)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	_, err = b.Settle(t.Context(), order)
	require.ErrorIs(t, err, rfc0038.ErrEngineForgot)
	require.NoError(t, b.Retry(order.ID))
	_, err = b.Settle(t.Context(), order) // 404, created, 404
	require.ErrorIs(t, err, rfc0038.ErrUnknownAccount)
	require.NotErrorIs(t, err, settlement.ErrPending)
	_, err = b.Settle(t.Context(), order) // 404, created, 201
	require.NoError(t, err)
}

// An order that an earlier process may have sent is as one without an answer.
func TestOrderOfEarlierProcessIsNotSentAfterUnknownAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, status(404), created})
	order := b.order(1000)
	order.PlacedAt = placed.Add(-time.Minute)
	_, err := b.Settle(t.Context(), order)
	require.ErrorIs(t, err, rfc0038.ErrEngineForgot)
	require.Len(t, b.paths(), 3)
}

// An order that is closed by hand during its request is not sent again after a 404.
func TestOrderClosedBeforeUnknownAccount(t *testing.T) {
	t.Parallel()
	var b *bench
	var order settlement.Order
	b = newBench(t, []http.HandlerFunc{created, func(w http.ResponseWriter, r *http.Request) {
		b.Forget(order)
		status(404)(w, r)
	}, created})
	order = b.order(1000)
	_, err := b.Settle(t.Context(), order)
	require.ErrorIs(t, err, settlement.ErrPending)
	require.Len(t, b.paths(), 3)
	require.Empty(t, b.Stuck())
}
