package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// The recorded answers have every status. Only overflows_timeout needs a clock of the year 2126.
func TestRecordedHasEveryStatus(t *testing.T) {
	t.Parallel()
	script := readScript(t)
	operations := map[string]string{}
	for _, step := range script.Steps {
		operations[step.Name] = step.Operation
	}
	recorded := map[string]string{} // all lines, by operation
	for _, line := range readRecorded(t) {
		recorded[operations[line.step]] += line.text
	}
	requireStatuses(t, recorded["create_accounts"], ledger.CreateAccountStatuses())
	requireStatuses(t, recorded["create_transfers"], ledger.CreateTransferStatuses(), ledger.TransferOverflowsTimeout)
}

func requireStatuses[S interface {
	comparable
	String() string
}](t *testing.T, recorded string, statuses []S, unreachable ...S) {
	t.Helper()
	for _, status := range statuses {
		found := strings.Contains(recorded, `"status=`+status.String()+` `)
		require.Equal(t, !slices.Contains(unreachable, status), found, "%v", status)
	}
}

// Each step of the script has its recorded line, in order.
func TestRecordedHasEveryStep(t *testing.T) {
	t.Parallel()
	script := readScript(t)
	var want, got []string
	addSteps := func(prefix string, steps []scriptStep) {
		for _, step := range steps {
			if step.SleepMilliseconds == 0 {
				want = append(want, prefix+step.Name)
			}
		}
	}
	addSteps("", script.Steps)
	for i := range script.Concurrent.Callers {
		addSteps(fmt.Sprintf("caller %d: ", i+1), script.Concurrent.Steps)
	}
	addSteps("", script.Concurrent.After)
	for _, line := range readRecorded(t) {
		got = append(got, line.step)
	}
	require.Equal(t, want, got)
}

// The script has a step with rows for each operation, and uses each flag and each field of its events.
func TestScriptUsesEverything(t *testing.T) {
	t.Parallel()
	script := readScript(t)
	used := map[string]bool{}
	answered := map[string]bool{}
	for _, line := range readRecorded(t) {
		answered[line.step] = !strings.HasSuffix(line.text, `"rows":[]}`)
	}
	for _, step := range script.Steps {
		record := script.Operations[step.Operation].Event
		used[step.Operation] = used[step.Operation] || answered[step.Name]
		for _, event := range step.Events {
			for field, value := range event {
				used[record+" "+field] = true
				for flag := range script.Flags[record] {
					used[record+" "+flag] = used[record+" "+flag] || field == "flags" && strings.Contains(string(value), `"`+flag+`"`)
				}
			}
		}
	}
	for operation, records := range script.Operations {
		require.True(t, used[operation], operation)
		for _, field := range script.Fields[records.Event] {
			require.True(t, used[records.Event+" "+field], "%s: %s", records.Event, field)
		}
		for flag := range script.Flags[records.Event] {
			require.True(t, used[records.Event+" "+flag], "%s: %s", records.Event, flag)
		}
	}
}
