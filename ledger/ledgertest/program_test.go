package ledgertest

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// A hundred programs meet every status except overflows_timeout, which needs the year 2126.
func TestProgramsCover(t *testing.T) {
	t.Parallel()
	answers := newCoverage()
	for seed := range uint64(100) {
		runSeed(t, newTestSubject(newManualClockLedger()).withCoverage(answers), seed)
	}
	report := answers.reportCounts("programs")
	t.Log(report)
	require.Contains(t, report, "never met: transfer overflows_timeout", "seeds 0 to 99")
}

// The same bytes make the same program, and few bytes make a short program.
func TestProgramFromBytes(t *testing.T) {
	t.Parallel()
	data := []byte("some bytes that spell a program")
	require.Equal(t, newBytesProgram(data, anyPauses), newBytesProgram(data, anyPauses))
	require.NotEqual(t, newBytesProgram(data, anyPauses), newBytesProgram(data[1:], anyPauses))
	require.Less(t, len(newBytesProgram(nil, anyPauses).actions), 10)
	long := make([]byte, 1<<16)
	require.LessOrEqual(t, len(newBytesProgram(long, anyPauses).actions), maxActions+10)
	require.NotEqual(t, newSeedProgram(1, anyPauses), newSeedProgram(2, anyPauses))
}

// eventLogLedger records all events sent.
type eventLogLedger struct {
	*manualClockLedger
	events []any
}

func (l *eventLogLedger) CreateAccounts(ctx context.Context, a []ledger.Account) ([]ledger.CreateAccountResult, error) {
	l.events = append(l.events, slices.Clone(a))
	return l.manualClockLedger.CreateAccounts(ctx, a)
}

func (l *eventLogLedger) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	l.events = append(l.events, slices.Clone(t))
	return l.manualClockLedger.CreateTransfers(ctx, t)
}

// With a clock moved only by the program, the same bytes send the same events.
func TestRunBytesRepeats(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "peer", "debits equal credits; nothing is left held"} {
		first, second := &eventLogLedger{manualClockLedger: newManualClockLedger()}, &eventLogLedger{manualClockLedger: newManualClockLedger()}
		RunBytes(t, first, []byte(data))
		RunBytes(t, second, []byte(data))
		require.NotEmpty(t, first.events)
		require.Equal(t, first.events, second.events, data)
	}
}

// A program for a ledger in real time has no pauses. A pause ends near an expiry only in a program
// that races expiries.
func TestPauses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		for _, action := range newSeedProgram(seed, noPauses).actions {
			_, ok := action.(sleepAction)
			require.False(t, ok, "seed %d", seed)
		}
		sleeps := 0
		for _, action := range newSeedProgram(seed, safePauses).actions {
			if n, ok := action.(sleepAction); ok {
				require.Equal(t, sleepAction(sleepDuration), n)
				sleeps++
			}
		}
		require.LessOrEqual(t, sleeps, maxSleeps)
		require.False(t, newSeedProgram(seed, safePauses).racesExpiries)
	}
}

// feedlessLedger is a ledger without change events.
type feedlessLedger struct {
	ledger.Ledger
	Sleeper
}

// Without change events the model computes the expiries.
func TestProgramsWithoutChangeEvents(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		first, second := newManualClockLedger(), newManualClockLedger()
		RunProgram(t, &feedlessLedger{first, first}, seed)
		RunDifferential(t, &feedlessLedger{first, first}, second, seed)
		RequireNothingHeld(t, first)
		RequireNothingHeld(t, second)
	}
}

// A program also runs on a ledger in real time.
func TestProgramsInRealTime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		l := embedded.New()
		RunProgram(t, l, seed)
		RequireNothingHeld(t, l)
	}
}

// No import may resolve a regular hold with a timeout, also when requests are sent again.
func TestProgramsAvoidImportCrash(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		timeoutHolds, resolved := map[ledger.ID]bool{}, map[ledger.ID]bool{}
		for _, action := range newSeedProgram(seed, safePauses).actions {
			events, _ := action.(createTransfersAction)
			for i := range events {
				e := &events[i]
				imported := e.Flags.Has(ledger.TransferImported)
				timeoutHolds[e.ID] = timeoutHolds[e.ID] || !imported && e.Timeout != 0
				if imported && e.Flags.Any(ledger.TransferPostPending|ledger.TransferVoidPending) {
					resolved[e.PendingID] = true
				}
			}
		}
		delete(resolved, ledger.ID{}) // names no hold
		for id := range resolved {
			require.False(t, timeoutHolds[id], "seed %d: %v", seed, id)
		}
	}
}
