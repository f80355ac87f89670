package ledgertest

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// A hundred programs meet every status but the one that needs the year 2126.
func TestProgramsCover(t *testing.T) {
	t.Parallel()
	answers := newTally()
	for seed := range uint64(100) {
		runSeed(t, subjectOf(newSleepy()).withCoverage(answers), seed)
	}
	report := answers.reportCounts("programs")
	t.Log(report)
	require.Contains(t, report, "never met: transfer overflows_timeout", "seeds 0 to 99")
}

// The bytes say all: the same ones make the same program, and a few a short one.
func TestProgramFromBytes(t *testing.T) {
	t.Parallel()
	data := []byte("some bytes that spell a program")
	require.Equal(t, programFrom(data, anyPauses), programFrom(data, anyPauses))
	require.NotEqual(t, programFrom(data, anyPauses), programFrom(data[1:], anyPauses))
	require.Less(t, len(programFrom(nil, anyPauses).turns), 10)
	long := make([]byte, 1<<16)
	require.LessOrEqual(t, len(programFrom(long, anyPauses).turns), mostTurns+10)
	require.NotEqual(t, programOf(1, anyPauses), programOf(2, anyPauses))
}

// overheard is a ledger that notes the events that are sent to it.
type overheard struct {
	*sleepy
	events []any
}

func (l *overheard) CreateAccounts(ctx context.Context, a []ledger.Account) ([]ledger.CreateAccountResult, error) {
	l.events = append(l.events, slices.Clone(a))
	return l.sleepy.CreateAccounts(ctx, a)
}

func (l *overheard) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	l.events = append(l.events, slices.Clone(t))
	return l.sleepy.CreateTransfers(ctx, t)
}

// By a clock that only the program moves, the same bytes send the same events.
func TestRunBytesRepeats(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "peer", "debits equal credits; nothing is left held"} {
		one, other := &overheard{sleepy: newSleepy()}, &overheard{sleepy: newSleepy()}
		RunBytes(t, one, []byte(data))
		RunBytes(t, other, []byte(data))
		require.NotEmpty(t, one.events)
		require.Equal(t, one.events, other.events, data)
	}
}

// A program for a ledger in real time has no pauses, and none ends near an expiry
// unless it is wild.
func TestPauses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		for _, turn := range programOf(seed, noPauses).turns {
			_, ok := turn.(napTurn)
			require.False(t, ok, "seed %d", seed)
		}
		naps := 0
		for _, turn := range programOf(seed, longPauses).turns {
			if n, ok := turn.(napTurn); ok {
				require.Equal(t, napTurn(nap), n)
				naps++
			}
		}
		require.LessOrEqual(t, naps, longNaps)
		require.False(t, programOf(seed, longPauses).wild)
	}
}

// silent is a ledger without change events.
type silent struct {
	ledger.Ledger
	Sleeper
}

// Without change events the mirror works out by itself what expires.
func TestProgramsWithoutChangeEvents(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		one, other := newSleepy(), newSleepy()
		RunProgram(t, &silent{one, one}, seed)
		RunDifferential(t, &silent{one, one}, other, seed)
		RequireNothingHeld(t, one)
		RequireNothingHeld(t, other)
	}
}

// Nor does a program need a clock that is moved for it.
func TestProgramsInRealTime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		l := embedded.New()
		RunProgram(t, l, seed)
		RequireNothingHeld(t, l)
	}
}

// No import may resolve a regular hold with a timeout, whatever is sent again.
func TestProgramsKeepOutCrash(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		timed, resolved := map[ledger.ID]bool{}, map[ledger.ID]bool{}
		for _, turn := range programOf(seed, longPauses).turns {
			events, _ := turn.(transfersTurn)
			for i := range events {
				e := &events[i]
				imported := e.Flags.Has(ledger.TransferImported)
				timed[e.ID] = timed[e.ID] || !imported && e.Timeout != 0
				if imported && e.Flags.Any(ledger.TransferPostPending|ledger.TransferVoidPending) {
					resolved[e.PendingID] = true
				}
			}
		}
		delete(resolved, ledger.ID{}) // names nothing
		for id := range resolved {
			require.False(t, timed[id], "seed %d: %v", seed, id)
		}
	}
}
