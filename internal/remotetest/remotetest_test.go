package remotetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/peerledger/peerledger/internal/remotetest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serveThroughPipe serves a ledger through a pipe, until the client is closed.
func serveThroughPipe(l ledger.Ledger) (client *remotetest.Client, served <-chan error) {
	requests, send := io.Pipe()
	receive, answers := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := remotetest.Serve(context.Background(), l, requests, answers)
		_ = answers.Close() // of a pipe: no error
		done <- err
	}()
	return remotetest.NewClient(receive, send), done
}

func TestConformance(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T) ledger.Ledger {
		t.Helper()
		client, served := serveThroughPipe(embedded.New())
		t.Cleanup(func() {
			require.NoError(t, client.Close())
			require.NoError(t, <-served)
		})
		return client
	})
}

// When the other process has gone, no caller waits for ever, and a request that may have been
// executed is not reported as a failure.
func TestOtherProcessIsGone(t *testing.T) {
	t.Parallel()
	requests, send := io.Pipe()
	receive, answers := io.Pipe()
	client := remotetest.NewClient(receive, send)
	go func() {
		_, _ = requests.Read(make([]byte, 1000))
		_ = requests.Close()
		_ = answers.Close()
	}()
	for range 2 {
		_, err := client.CreateTransfers(t.Context(), make([]ledger.Transfer, 1))
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	}
	<-client.Ended()
	require.NoError(t, client.Close())
}

// The context ends without an answer.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	requests, send := io.Pipe()
	receive, answers := io.Pipe()
	client := remotetest.NewClient(receive, send)
	go func() { _, _ = io.Copy(io.Discard, requests) }()
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() {
		_, err := client.LookupAccounts(ctx, nil)
		answered <- err
	}()
	cancel()
	require.ErrorIs(t, <-answered, context.Canceled)
	_, err := client.LookupAccounts(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown, "it was not sent")
	require.NoError(t, answers.Close())
	require.NoError(t, client.Close())
}

// The ledger's error for a request that it did not execute reaches the client.
func TestErrorsOfTheLedger(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	require.NoError(t, l.Close())
	client, served := serveThroughPipe(l)
	_, err := client.LookupAccounts(t.Context(), nil)
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.NoError(t, client.Close())
	require.NoError(t, <-served)

	require.NoError(t, remotetest.Serve(t.Context(), l, errReader{io.EOF}, io.Discard))
	require.ErrorIs(t, remotetest.Serve(t.Context(), l, errReader{errors.ErrUnsupported}, io.Discard), errors.ErrUnsupported)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func ExampleServe() {
	client, served := serveThroughPipe(embedded.New()) // usually in another process
	results, err := client.CreateAccounts(context.Background(), []ledger.Account{{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}})
	fmt.Println(results[0].Status, err)
	fmt.Println(client.Close(), <-served)
	// Output:
	// created <nil>
	// <nil> <nil>
}
