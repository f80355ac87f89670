package ledgertest

import (
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// recordedFiles are the recordings that come with the package.
//
//go:embed testdata/recorded/*.jsonl.gz
var recordedFiles embed.FS

// RunRecorded replays requests recorded from a real TigerBeetle 0.17.9, and compares every answer:
// statuses, all fields, and the order of all timestamps. It begins with the recordings that come
// with the package (testdata/recorded, where README.md describes the format). Then it replays the
// files *.jsonl.gz of all folders in the list PEERLEDGER_VECTORS, an environment variable. The log
// shows how often each status was met, and the statuses never met.
//
// open must return an empty ledger each time. See [Run] for optional interfaces of the ledger.
func RunRecorded(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	t.Helper()
	runRecorded(t, open, newCoverage())
}

func runRecorded(t *testing.T, open func(t *testing.T) ledger.Ledger, counts *coverage) {
	t.Helper()
	own, err := fs.Sub(recordedFiles, "testdata/recorded")
	require.NoError(t, err)
	runRecordedFiles(t, own, open, counts)
	for _, dir := range filepath.SplitList(os.Getenv("PEERLEDGER_VECTORS")) {
		t.Run(dir, func(t *testing.T) { runRecordedFiles(t, os.DirFS(dir), open, counts) })
	}
	counts.logCounts(t, "recorded answers")
}

func runRecordedFiles(t *testing.T, dir fs.FS, open func(t *testing.T) ledger.Ledger, counts *coverage) {
	t.Helper()
	files, err := fs.Glob(dir, "*.jsonl.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files, "no recorded answers")
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			f, err := dir.Open(name)
			require.NoError(t, err)
			for records, err := range readScenarios(name, f) {
				require.NoError(t, err)
				t.Run(records[0].Scenario, func(t *testing.T) {
					replayScenario(t, newSubject(t, open, counts), records)
				})
			}
			require.NoError(t, f.Close())
		})
	}
}

// record is one line of a recorded file.
type record struct {
	at string // file:line

	Op       string
	Scenario string
	MS       int64

	Accounts     []recordedAccount
	Transfers    []recordedTransfer
	Results      []recordedResult
	IDs          []hexadecimal
	Filter       recordedFilter
	GotAccounts  []recordedAccount  `json:"got_accounts"`
	GotTransfers []recordedTransfer `json:"got_transfers"`
	GotBalances  []recordedAccount  `json:"got_balances"`
}

// errRecorded is matched by the errors of readScenarios.
var errRecorded = errors.New("ledgertest: invalid record")

// readScenarios reads a file, one scenario at a time. An error names the file and the line, and
// ends the sequence.
func readScenarios(name string, compressed io.Reader) iter.Seq2[[]record, error] {
	return func(yield func([]record, error) bool) {
		r, err := gzip.NewReader(compressed)
		if err != nil {
			yield(nil, fmt.Errorf("%w: %s: %w", errRecorded, name, err))
			return
		}
		lines := json.NewDecoder(r)
		lines.DisallowUnknownFields()
		var records []record
		for line := 1; ; line++ {
			rec := record{at: fmt.Sprintf("%s:%d", name, line)}
			err := rec.readLine(lines, line == 1)
			if err != nil && !errors.Is(err, io.EOF) {
				yield(nil, fmt.Errorf("%w: %s: %w", errRecorded, rec.at, err))
				return
			}
			if (err != nil || rec.Op == "scenario") && len(records) > 0 {
				if !yield(records, nil) {
					return
				}
				records = nil
			}
			if err != nil {
				return
			}
			records = append(records, rec)
		}
	}
}

// readLine reads one line. The error is [io.EOF] at the end of the file.
func (r *record) readLine(lines *json.Decoder, first bool) error {
	if err := lines.Decode(r); err != nil {
		return err
	}
	if replayers[r.Op] == nil {
		return fmt.Errorf("unknown op %q", r.Op)
	}
	if first && r.Op != "scenario" {
		return errors.New("the first line begins no scenario")
	}
	return nil
}

// replayer compares the answers of a ledger with the recorded ones.
type replayer struct {
	t       testing.TB
	subject *subject
	times   timestampMap
}

func replayScenario(tb testing.TB, s *subject, records []record) {
	tb.Helper()
	r := &replayer{tb, s, timestampMap{}}
	for i := range records {
		replayers[records[i].Op](r, &records[i])
	}
	require.NoError(tb, r.times.checkOrder())
}

var replayers = map[string]func(*replayer, *record){
	"scenario":              func(*replayer, *record) {},
	"sleep":                 (*replayer).sleepFor,
	"create_accounts":       (*replayer).createAccounts,
	"create_transfers":      (*replayer).createTransfers,
	"lookup_accounts":       (*replayer).lookupAccounts,
	"lookup_transfers":      (*replayer).lookupTransfers,
	"get_account_transfers": (*replayer).getAccountTransfers,
	"get_account_balances":  (*replayer).getAccountBalances,
	"query_accounts":        (*replayer).queryAccounts,
	"query_transfers":       (*replayer).queryTransfers,
}

func (r *replayer) sleepFor(rec *record) {
	r.subject.sleepFor(r.t, time.Duration(rec.MS)*time.Millisecond)
}

func (r *replayer) createAccounts(rec *record) {
	events := convertList(rec.Accounts, recordedAccount.toAccount)
	results, err := r.subject.CreateAccounts(r.t.Context(), events)
	require.NoError(r.t, err, rec.at)
	require.Len(r.t, results, len(rec.Results), rec.at)
	for i, got := range results {
		want := rec.Results[i]
		require.Equal(r.t, ledger.CreateAccountStatus(want.Status).String(), got.Status.String(),
			"%s: event %d: %+v", rec.at, i, events[i])
		r.pairTimestamps(rec, want.Timestamp, got.Timestamp)
	}
}

func (r *replayer) createTransfers(rec *record) {
	events := convertList(rec.Transfers, recordedTransfer.toTransfer)
	results, err := r.subject.CreateTransfers(r.t.Context(), events)
	require.NoError(r.t, err, rec.at)
	require.Len(r.t, results, len(rec.Results), rec.at)
	for i, got := range results {
		want := rec.Results[i]
		require.Equal(r.t, ledger.CreateTransferStatus(want.Status).String(), got.Status.String(),
			"%s: event %d: %+v", rec.at, i, events[i])
		r.pairTimestamps(rec, want.Timestamp, got.Timestamp)
	}
}

func (r *replayer) lookupAccounts(rec *record) {
	got, err := r.subject.LookupAccounts(r.t.Context(), convertList(rec.IDs, hexadecimal.toID))
	r.compareAccounts(rec, got, err)
}

func (r *replayer) lookupTransfers(rec *record) {
	got, err := r.subject.LookupTransfers(r.t.Context(), convertList(rec.IDs, hexadecimal.toID))
	r.compareTransfers(rec, got, err)
}

func (r *replayer) getAccountTransfers(rec *record) {
	got, err := r.subject.GetAccountTransfers(r.t.Context(), rec.Filter.toAccountFilter(r.times))
	r.compareTransfers(rec, got, err)
}

func (r *replayer) queryAccounts(rec *record) {
	got, err := r.subject.QueryAccounts(r.t.Context(), rec.Filter.toQueryFilter(r.times))
	r.compareAccounts(rec, got, err)
}

func (r *replayer) queryTransfers(rec *record) {
	got, err := r.subject.QueryTransfers(r.t.Context(), rec.Filter.toQueryFilter(r.times))
	r.compareTransfers(rec, got, err)
}

func (r *replayer) getAccountBalances(rec *record) {
	got, err := r.subject.GetAccountBalances(r.t.Context(), rec.Filter.toAccountFilter(r.times))
	require.NoError(r.t, err, rec.at)
	requirePaired(r.t, r.times, convertList(rec.GotBalances, recordedAccount.toBalance), got, rec.at, balanceTimePointers)
}

func (r *replayer) compareAccounts(rec *record, got []ledger.Account, err error) {
	require.NoError(r.t, err, rec.at)
	requirePaired(r.t, r.times, convertList(rec.GotAccounts, recordedAccount.toAccount), got, rec.at, accountTimePointers)
}

func (r *replayer) compareTransfers(rec *record, got []ledger.Transfer, err error) {
	require.NoError(r.t, err, rec.at)
	requirePaired(r.t, r.times, convertList(rec.GotTransfers, recordedTransfer.toTransfer), got, rec.at, transferTimePointers)
}

func (r *replayer) pairTimestamps(rec *record, recorded, own uint64) {
	require.NoError(r.t, r.times.pairTimes(recorded, own), rec.at)
}
