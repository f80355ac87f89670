package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// TestMain runs this program as a connector if the environment names a setup.
func TestMain(m *testing.M) {
	path := os.Getenv(connectorEnv)
	if path == "" {
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // the connector processes end often
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := runConnectorProcess(ctx, path)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newUnits(n uint64) ledger.Amount { return ledger.NewAmount(n) }

// Two processes, killed in the middle, end with equal books.
func TestBothBooksAgree(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, runBoth(t.Context(), []string{"-packets", "300", "-kills", "8", "-json"}, &out, os.Stderr, false))
	var r struct {
		Kills  int
		Before [2]books
		After  [2]books
		Agree  bool
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	require.True(t, r.Agree)
	require.Equal(t, 8, r.Kills)
	for _, b := range r.After {
		require.Equal(t, int64(300), b.Sent)
		require.Equal(t, "0", b.Position)
		require.False(t, b.Paid.IsZero())
		require.Zero(t, b.NotFinal)
	}
	require.Equal(t, r.Before[0].Received, r.Before[0].NotFinal)
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out, shown bytes.Buffer
	require.NoError(t, runBoth(t.Context(), []string{"-packets", "20", "-kills", "1", "-seed", "5"}, &out, &shown, true))
	require.Contains(t, out.String(), "killed and started again: 1 times (seed 5)\nboth books agree\n")
	require.Contains(t, shown.String(), "packets")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-packets", "0"}, {"-kills", "-1"}, {"-kills", "5", "-packets", "4"}, {"now"}, {"-nothing"}} {
		require.Error(t, runBoth(t.Context(), args, io.Discard, io.Discard, false), args)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, runBoth(ctx, nil, io.Discard, io.Discard, false), context.Canceled)
}

func TestBooksThatDoNotAgree(t *testing.T) {
	t.Parallel()
	good := func() (a, b books) {
		return books{Position: "5", Paid: newUnits(7), Received: newUnits(3), Claims: newUnits(7)},
			books{Position: "-5", Paid: newUnits(3), Received: newUnits(7), Claims: newUnits(3)}
	}
	require.NoError(t, compareBooks(good()))
	for name, spoil := range map[string]func(a, b *books){
		"position": func(a, _ *books) { a.Position = "6" },
		"nonsense": func(a, _ *books) { a.Position = "" },
		"received": func(a, _ *books) { a.Received = newUnits(4) },
		"paid":     func(_, b *books) { b.Paid, b.Claims = newUnits(4), newUnits(4) },
		"claims":   func(_, b *books) { b.Claims = newUnits(4) },
		"open":     func(_, b *books) { b.Open = newUnits(4) },
		"held":     func(a, _ *books) { a.Held = newUnits(4) },
	} {
		a, b := good()
		spoil(&a, &b)
		require.ErrorIs(t, compareBooks(a, b), errBooks, name)
		require.ErrorIs(t, report{after: [2]books{a, b}}.printBooks(io.Discard, options{json: true}), errBooks)
		require.ErrorIs(t, report{after: [2]books{a, b}}.printBooks(io.Discard, options{}), errBooks)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	public, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	other, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	const name = "ada to bob"
	good := signClaim(key, name, newUnits(50))
	require.NoError(t, good.verifyClaim(public, name, newUnits(50)))
	require.ErrorContains(t, good.verifyClaim(public, name, newUnits(49)), "deposit")
	require.ErrorContains(t, good.verifyClaim(other, name, newUnits(50)), "signature")
	require.ErrorContains(t, good.verifyClaim(public, "ada to carol", newUnits(50)), "channel")
	more := good
	more.Cumulative = newUnits(51)
	require.ErrorIs(t, more.verifyClaim(public, name, newUnits(100)), errClaim)
	elsewhere := good
	elsewhere.Channel = "ada to carol"
	require.ErrorIs(t, elsewhere.verifyClaim(public, "ada to carol", newUnits(100)), errClaim)
	unsigned := good
	unsigned.Signature = nil
	require.ErrorIs(t, unsigned.verifyClaim(public, name, newUnits(50)), errClaim)
}

// An order has one claim, also after a restart and after a lost answer.
func TestAnOrderHasOneClaim(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "claims")
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	var sent []ledger.Amount
	var answer error
	open := func() *payer {
		p := &payer{key: key, channel: "c", deposit: newUnits(100), send: func(_ context.Context, c claim) error {
			sent = append(sent, c.Cumulative)
			return answer
		}}
		require.NoError(t, openPayer(path, p))
		return p
	}
	order := func(id, amount uint64) settlement.Order {
		return settlement.Order{ID: ledger.NewID(id, 0), Amount: newUnits(amount)}
	}
	settle := func(p *payer, o settlement.Order) error { _, err := p.Settle(t.Context(), o); return err }
	first := open()
	require.NoError(t, settle(first, order(1, 30)))
	answer = errors.New("no answer")
	require.ErrorIs(t, settle(first, order(2, 40)), answer)
	require.NoError(t, first.closePayer())

	// The process was killed while it wrote the next claim.
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"order":"`)
	require.NoError(t, errors.Join(err, file.Close()))

	answer = nil
	second := open()
	require.NoError(t, settle(second, order(2, 40)))
	require.NoError(t, settle(second, order(1, 30)))
	require.ErrorIs(t, settle(second, order(3, 31)), settlement.ErrDeclined)
	require.NoError(t, settle(second, order(4, 30)))
	require.Equal(t, []ledger.Amount{newUnits(30), newUnits(70), newUnits(70), newUnits(30), newUnits(100)}, sent)
	require.NoError(t, second.closePayer())
	last := open()
	require.Equal(t, newUnits(100), last.total)
	require.NoError(t, last.closePayer())

	require.NoError(t, os.WriteFile(path, []byte("spoilt\n"), 0o600))
	require.ErrorContains(t, openPayer(path, &payer{}), "claims: line 1")
}

// Messages of other programs have a largest size.
func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	handler := handleJSON(func(_ context.Context, in string) (int, error) { return len(in), nil })
	for size, want := range map[int]int{maxMessage - 2: http.StatusOK, maxMessage - 1: http.StatusBadRequest} { // two quotes
		body := strings.NewReader(`"` + strings.Repeat("a", size) + `"`)
		answer := httptest.NewRecorder()
		handler(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/packet", body))
		require.Equal(t, want, answer.Code)
	}
}
