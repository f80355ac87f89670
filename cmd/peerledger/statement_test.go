package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// --from and --to read times as tables and JSON print them.
func TestMomentsAreReadAsTheyAreShown(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 10, 7, 5, 123456789, time.UTC)
	for text, want := range map[string]time.Time{
		formatTime(at):                   at.Truncate(time.Second),
		at.Format(time.RFC3339Nano):      at,
		" 2026-11-26 ":                   at.Truncate(24 * time.Hour),
		"2026-11-26 10:07":               at.Truncate(time.Minute),
		"2026-11-26T10:07":               at.Truncate(time.Minute),
		"2026-11-26T10:07:05":            at.Truncate(time.Second),
		"2026-11-26T11:07:05.5+01:00":    at.Truncate(time.Second).Add(500 * time.Millisecond),
		"2h":                             at.Add(-2 * time.Hour),
		formatTime(time.Time{}):          {},
		"2026-11-26 10:07:05.123456789 ": at,
	} {
		got, err := parseMoment(text, at)
		require.NoError(t, err, text)
		require.Equal(t, want, got.UTC(), text)
	}
	for _, text := range []string{"2026-13-01", "10:07", "-2h", "26.11.2026", "2026-11-26 10:07 CET"} {
		_, err := parseMoment(text, at)
		require.Error(t, err, text)
	}
}

func TestStatementFromAMomentOfItsTable(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	shown := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`).FindString(s.runOK(t, "statement", "bob@USD"))
	require.Contains(t, s.runOK(t, "statement", "bob@USD", "--from", shown), "peer alice")
	require.NotContains(t, s.runOK(t, "statement", "bob@USD", "--to", shown), "peer alice")
}

func TestNewestEntriesOfAStatement(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, amount := range []string{"1", "2", "3", "4"} {
		s.runOK(t, "settle", "received", "bob@USD", amount, "--key", "wire "+amount, "--yes")
	}
	var amounts []string
	for _, row := range readRows[statementRow](t, s, "statement", "bob@USD", "-o", "jsonl", "--sort", "time:desc", "--limit", "3") {
		amounts = append(amounts, row.Amount)
	}
	require.Equal(t, []string{"4.00", "3.00", "2.00"}, amounts)
}

func TestStatementShowsKeyAndWay(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "settle", "received", "bob@USD", "40", "--key", "wire 1", "--yes")
	s.runOK(t, "settle", "paid", "bob@USD", "30", "--key", "cash 2", "--yes")
	table := s.runOK(t, "statement", "bob@USD", "--key", "wire 1")
	require.Regexp(t, `40.00 .* in +│ settlement +│ +│ wire 1 `, table)
	require.Regexp(t, `-30.00 .* out +│ settlement +│ +│ #[0-9a-f]{32} `, table)

	records, err := csv.NewReader(strings.NewReader(s.runOK(t, "statement", "bob@USD", "--csv", "--key", "wire 1"))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"direction", "key_hash", "key", "arrears", "journal", "round", "packets"}, records[0][15:])
	paid := len(records) - 2
	require.Equal(t, []string{"in", "key wire 1"}, []string{records[paid-1][15], records[paid-1][17]})
	require.Equal(t, []string{"out", ""}, []string{records[paid][15], records[paid][17]})

	var written struct {
		Format  int
		Entries []struct {
			Direction string
			KeyHash   string `json:"key_hash"`
			Key       string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(s.runOK(t, "statement", "bob@USD", "--json", "--key", "cash 2")), &written))
	require.Equal(t, 1, written.Format)
	last := written.Entries[len(written.Entries)-1]
	require.Equal(t, "cash 2", last.Key)
	require.Equal(t, records[paid][16], last.KeyHash)
}

// "unlimited" is read wherever a credit line is read.
func TestAnUnlimitedLineIsReadAsItIsShown(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "credit", "set", "bob@USD", "unlimited", "--yes")
	require.Equal(t, "unlimited", readRows[peerRow](t, s, "balances", "bob@USD")[0].CreditLine)
	s.runOK(t, "credit", "set", "bob@USD", "0", "--if-line", "unlimited", "--yes")
	require.Equal(t, "0.00", readRows[peerRow](t, s, "balances", "bob@USD")[0].CreditLine)
	s.runOK(t, "peers", "add", "carol@USD", "--credit-line", "unlimited", "--yes")
	require.Equal(t, "unlimited", readRows[peerRow](t, s, "balances", "carol@USD")[0].CreditLine)

	more := "\ufeff" + configuration + "  - {id: dave, asset: USD, credit_line: unlimited}\n" // with a byte order mark
	require.NoError(t, os.WriteFile(s.config, []byte(more), 0o600))
	s.runOK(t, "peers", "provision", "--yes")
	require.Equal(t, "unlimited", readRows[peerRow](t, s, "balances", "dave@USD")[0].CreditLine)
}
