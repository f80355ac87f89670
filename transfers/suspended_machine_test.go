package transfers_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// suspendedMachine is a virtual machine, suspended during a request: the wall clock jumps, the
// monotonic clock stands still, and the ledger on a second machine goes on.
type suspendedMachine struct {
	ledger.Ledger
	asleep     time.Duration // in each request
	answerErr  error         // nil: the ledger's answer
	sleptNanos atomic.Int64  // nanoseconds by which the wall clock is ahead of the monotonic one
}

func (m *suspendedMachine) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	m.sleptNanos.Add(int64(m.asleep))
	m.asleep = 0
	if err := m.answerErr; err != nil {
		m.answerErr = nil
		return nil, err
	}
	return m.Ledger.CreateTransfers(ctx, batch)
}

// readClocks reads both clocks. Package time cannot build a Time of two clocks that differ, so the
// monotonic reading is written into the second word of the Time.
func (m *suspendedMachine) readClocks() time.Time {
	slept := m.sleptNanos.Load()
	now := time.Now().Add(time.Duration(slept))
	words := (*[2]int64)(unsafe.Pointer(&now)) //nolint:gosec // in a test
	words[1] -= slept
	return now
}

func newMachineFixture(t *testing.T, m *suspendedMachine) *fixture {
	t.Helper()
	return newFixture(t, transfers.Config{Lanes: 1, Clock: m.readClocks}, func(l ledger.Ledger) ledger.Ledger { m.Ledger = l; return m })
}

func TestMachineHasTwoClocks(t *testing.T) {
	t.Parallel()
	m := &suspendedMachine{}
	m.sleptNanos.Store(int64(time.Hour))
	before := time.Now()
	now := m.readClocks()
	require.Less(t, now.Sub(before), time.Minute, "monotonic")
	require.GreaterOrEqual(t, now.Round(0).Sub(before.Round(0)), time.Hour, "wall")
}

// The machine slept longer than the hold lasts: the packet must not be forwarded.
func TestHoldThatEndedWhileTheMachineWasSuspended(t *testing.T) {
	t.Parallel()
	m := &suspendedMachine{asleep: time.Hour}
	f := newMachineFixture(t, m)
	got, err := f.recorder.Prepare(t.Context(), f.packet(100, 90)) // held for a minute
	require.Equal(t, ledger.OutcomeApplied, got.Outcome)
	require.ErrorIs(t, err, transfers.ErrHoldExpired)
	_, err = f.recorder.Reject(t.Context(), got.Packet)
	require.NoError(t, err)
	f.closeAndCheck(t)
}

// The packet expired while the machine slept, and was never sent: it is refused.
func TestPacketThatExpiredWhileTheMachineWasSuspended(t *testing.T) {
	t.Parallel()
	m := &suspendedMachine{asleep: time.Hour, answerErr: errNoConnection}
	f := newMachineFixture(t, m)
	p := f.packet(100, 90)
	p.Hold, p.Expiry = 0, m.readClocks().Add(30*time.Second) // with a reading of the monotonic clock
	_, err := f.recorder.Prepare(t.Context(), p)
	require.ErrorIs(t, err, transfers.ErrHoldTooShort)
	f.closeAndCheck(t)
}
