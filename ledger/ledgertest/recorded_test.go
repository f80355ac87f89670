package ledgertest

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

func gzipLines(t *testing.T, lines string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(lines))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

const recording = `{"op":"scenario","scenario":"one"}
{"op":"create_accounts","accounts":[{"id":"a","ledger":1,"code":1,"flags":8},{"id":"b","ledger":1,"code":1}],` +
	`"results":[{"status":4294967295,"timestamp":100},{"status":4294967295,"timestamp":101}]}
{"op":"create_transfers","transfers":[{"id":"1","debit_account_id":"a","credit_account_id":"b","amount":"ff","timeout":1,` +
	`"ledger":1,"code":1,"flags":2}],"results":[{"status":4294967295,"timestamp":200}]}
{"op":"sleep","ms":1500}
{"op":"get_account_balances","filter":{"account_id":"a","limit":9,"flags":1,"timestamp_min":200,"timestamp_max":200},` +
	`"got_balances":[{"debits_pending":"ff","timestamp":200}]}
{"op":"lookup_accounts","ids":["b","c"],"got_accounts":[{"id":"b","ledger":1,"code":1,"timestamp":101}]}
{"op":"scenario","scenario":"two"}
{"op":"query_accounts","filter":{"limit":9},"got_accounts":[]}
`

func TestReplay(t *testing.T) {
	t.Parallel()
	runRecordedFiles(t, fstest.MapFS{"one.jsonl.gz": {Data: gzipLines(t, recording)}},
		func(*testing.T) ledger.Ledger { return newManualClockLedger() }, newCoverage())
}

// The files of all folders named come after the recordings of the package.
func TestRunRecordedFolders(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "more.jsonl.gz"), gzipLines(t, recording), 0o600))
	}
	opened := func() (n int) {
		RunRecorded(t, func(*testing.T) ledger.Ledger { n++; return newManualClockLedger() })
		return n
	}
	t.Setenv("PEERLEDGER_VECTORS", "")
	own := opened()
	require.Equal(t, 169, own, "scenarios that come with the package")
	t.Setenv("PEERLEDGER_VECTORS", first+string(os.PathListSeparator)+second)
	require.Equal(t, own+4, opened())
}

// Every part of an answer is compared.
func TestReplayFails(t *testing.T) {
	t.Parallel()
	for recorded, changed := range map[string]string{
		`"results":[{"status":4294967295,"timestamp":200}]`: `"results":[{"status":46,"timestamp":200}]`,
		`"results":[{"status":4294967295,"timestamp":100}`:  `"results":[{"status":4294967295,"timestamp":300}`,
		`"got_balances":[{"debits_pending":"ff"`:            `"got_balances":[{"debits_pending":"fe"`,
		`"got_accounts":[{"id":"b","ledger":1`:              `"got_accounts":[{"id":"b","ledger":2`,
		`"got_accounts":[]`:                                 `"got_accounts":[{"id":"b"}]`,
	} {
		require.Contains(t, recording, recorded)
		file := bytes.NewReader(gzipLines(t, strings.Replace(recording, recorded, changed, 1)))
		failure := captureFailure(t, func(tb testing.TB) {
			tb.Helper()
			for records, err := range readScenarios("x", file) {
				require.NoError(tb, err)
				replayScenario(tb, newTestSubject(newManualClockLedger()), records)
			}
		})
		require.NotEmpty(t, failure, changed)
	}
}

// manualClockLedger is an embedded ledger that sleeps without waiting.
type manualClockLedger struct {
	*embedded.Ledger
	now time.Time
}

func newManualClockLedger() *manualClockLedger {
	s := &manualClockLedger{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.Ledger = embedded.New(embedded.WithClock(func() time.Time { return s.now }))
	return s
}

func (s *manualClockLedger) Sleep(d time.Duration) { s.now = s.now.Add(d) }

func TestReadScenariosErrors(t *testing.T) {
	t.Parallel()
	for lines, message := range map[string]string{
		`{"op":"sleep","ms":1}`:                                               "x:1: the first line begins no scenario",
		"{\"op\":\"scenario\"}\n{\"op\":\"nap\"}":                             `x:2: unknown op "nap"`,
		"{\"op\":\"scenario\"}\n{\"op\":\"sleep\",\"min\":1}":                 "x:2: json: unknown field",
		"{\"op\":\"scenario\"}\n{\"op\":\"lookup_accounts\",\"ids\":[\"z\"]}": "x:2: ",
		"{\"op\":\"scenario\"}\n{":                                            "x:2: unexpected EOF",
	} {
		err := readAll(bytes.NewReader(gzipLines(t, lines)))
		require.ErrorIs(t, err, errRecorded, lines)
		require.ErrorContains(t, err, message, lines)
	}
	require.ErrorIs(t, readAll(strings.NewReader("no gzip")), errRecorded)
}

// readAll reads a file to the end or to the first error.
func readAll(file io.Reader) error {
	for _, err := range readScenarios("x", file) {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestTimestamps(t *testing.T) {
	t.Parallel()
	m := timestampMap{}
	require.NoError(t, m.pairTimes(10, 100))
	require.NoError(t, m.pairTimes(20, 200))
	require.NoError(t, m.pairTimes(10, 100))
	require.ErrorIs(t, m.pairTimes(10, 101), errTimestamps, "one for two")
	require.NoError(t, m.checkOrder())
	require.Equal(t, uint64(200), m.translateTime(20))
	require.Equal(t, uint64(30), m.translateTime(30), "not recorded")
	require.NoError(t, m.pairTimes(30, 200))
	require.ErrorIs(t, m.checkOrder(), errTimestamps, "two for one")
	m[30] = 150
	require.ErrorIs(t, m.checkOrder(), errTimestamps, "another order")
}
