package ledgertest

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// RunRecorded replays what was recorded from a real TigerBeetle, and compares
// every answer: statuses, all fields, and the order of all timestamps. It replays
// the files *.jsonl.gz of the folder that the environment variable
// PEERLEDGER_VECTORS names, and skips the test if there is none.
//
// Each file is gzipped JSON, one request with its answer a line. "op" is
// "scenario" (begin with an empty ledger), "sleep" ("ms"), or the operation, with
// "accounts", "transfers", "ids" or "filter" sent and "results" or "got_..."
// received. 128-bit numbers are hexadecimal; fields that are zero are left out.
//
// open must return an empty ledger each time; see Run for what it may implement.
func RunRecorded(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	t.Helper()
	dir := os.Getenv("PEERLEDGER_VECTORS")
	if dir == "" {
		t.Skip("PEERLEDGER_VECTORS names no folder of recorded answers")
	}
	runRecordedFiles(t, os.DirFS(dir), open)
}

func runRecordedFiles(t *testing.T, dir fs.FS, open func(t *testing.T) ledger.Ledger) {
	t.Helper()
	files, err := fs.Glob(dir, "*.jsonl.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files, "no recorded answers")
	answers := newTally()
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			f, err := dir.Open(name)
			require.NoError(t, err)
			records, err := readRecords(name, f)
			require.NoError(t, errors.Join(err, f.Close()))
			for _, story := range splitScenarios(records) {
				t.Run(story[0].Scenario, func(t *testing.T) {
					replay(t, newSubject(t, open, answers), story)
				})
			}
		})
	}
	answers.log(t)
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

// errRecorded is matched by the errors of readRecords.
var errRecorded = errors.New("ledgertest: invalid record")

// readRecords reads a file. An error names the file and the line.
func readRecords(name string, compressed io.Reader) (records []record, err error) {
	r, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errRecorded, name, err)
	}
	lines := json.NewDecoder(r)
	lines.DisallowUnknownFields()
	for {
		rec := record{at: fmt.Sprintf("%s:%d", name, len(records)+1)}
		err := lines.Decode(&rec)
		switch {
		case errors.Is(err, io.EOF):
			return records, nil
		case err == nil && len(records) == 0 && rec.Op != "scenario":
			err = errors.New("the first line begins no scenario")
		case err == nil && replayers[rec.Op] == nil:
			err = fmt.Errorf("unknown op %q", rec.Op)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errRecorded, rec.at, err)
		}
		records = append(records, rec)
	}
}

// splitScenarios cuts the records before each "scenario".
func splitScenarios(records []record) (stories [][]record) {
	for len(records) > 0 {
		end := 1 + slices.IndexFunc(records[1:], func(r record) bool { return r.Op == "scenario" })
		if end == 0 {
			end = len(records)
		}
		stories, records = append(stories, records[:end]), records[end:]
	}
	return stories
}

// replayer compares the answers of a ledger with the recorded ones.
type replayer struct {
	t       *testing.T
	subject *subject
	times   timestamps
}

func replay(t *testing.T, s *subject, story []record) {
	t.Helper()
	r := &replayer{t, s, timestamps{}}
	for i := range story {
		replayers[story[i].Op](r, &story[i])
	}
	require.NoError(t, r.times.check())
}

var replayers = map[string]func(*replayer, *record){
	"scenario":              func(*replayer, *record) {},
	"sleep":                 (*replayer).sleep,
	"create_accounts":       (*replayer).createAccounts,
	"create_transfers":      (*replayer).createTransfers,
	"lookup_accounts":       (*replayer).lookupAccounts,
	"lookup_transfers":      (*replayer).lookupTransfers,
	"get_account_transfers": (*replayer).accountTransfers,
	"get_account_balances":  (*replayer).accountBalances,
	"query_accounts":        (*replayer).queryAccounts,
	"query_transfers":       (*replayer).queryTransfers,
}

func (r *replayer) sleep(rec *record) {
	r.subject.sleep(r.t, time.Duration(rec.MS)*time.Millisecond)
}

func (r *replayer) createAccounts(rec *record) {
	events := convert(rec.Accounts, recordedAccount.account)
	results, err := r.subject.CreateAccounts(r.t.Context(), events)
	require.NoError(r.t, err, rec.at)
	require.Len(r.t, results, len(rec.Results), rec.at)
	for i, got := range results {
		want := rec.Results[i]
		require.Equal(r.t, ledger.CreateAccountStatus(want.Status).String(), got.Status.String(),
			"%s: event %d: %+v", rec.at, i, events[i])
		r.pair(rec, want.Timestamp, got.Timestamp)
	}
}

func (r *replayer) createTransfers(rec *record) {
	events := convert(rec.Transfers, recordedTransfer.transfer)
	results, err := r.subject.CreateTransfers(r.t.Context(), events)
	require.NoError(r.t, err, rec.at)
	require.Len(r.t, results, len(rec.Results), rec.at)
	for i, got := range results {
		want := rec.Results[i]
		require.Equal(r.t, ledger.CreateTransferStatus(want.Status).String(), got.Status.String(),
			"%s: event %d: %+v", rec.at, i, events[i])
		r.pair(rec, want.Timestamp, got.Timestamp)
	}
}

func (r *replayer) lookupAccounts(rec *record) {
	got, err := r.subject.LookupAccounts(r.t.Context(), convert(rec.IDs, hexadecimal.id))
	r.compareAccounts(rec, got, err)
}

func (r *replayer) lookupTransfers(rec *record) {
	got, err := r.subject.LookupTransfers(r.t.Context(), convert(rec.IDs, hexadecimal.id))
	r.compareTransfers(rec, got, err)
}

func (r *replayer) accountTransfers(rec *record) {
	got, err := r.subject.GetAccountTransfers(r.t.Context(), rec.Filter.accountFilter(r.times))
	r.compareTransfers(rec, got, err)
}

func (r *replayer) queryAccounts(rec *record) {
	got, err := r.subject.QueryAccounts(r.t.Context(), rec.Filter.queryFilter(r.times))
	r.compareAccounts(rec, got, err)
}

func (r *replayer) queryTransfers(rec *record) {
	got, err := r.subject.QueryTransfers(r.t.Context(), rec.Filter.queryFilter(r.times))
	r.compareTransfers(rec, got, err)
}

func (r *replayer) accountBalances(rec *record) {
	got, err := r.subject.GetAccountBalances(r.t.Context(), rec.Filter.accountFilter(r.times))
	require.NoError(r.t, err, rec.at)
	compareRows(r, rec, convert(rec.GotBalances, recordedAccount.balance), got,
		func(b *ledger.AccountBalance) *uint64 { return &b.Timestamp })
}

func (r *replayer) compareAccounts(rec *record, got []ledger.Account, err error) {
	require.NoError(r.t, err, rec.at)
	compareRows(r, rec, convert(rec.GotAccounts, recordedAccount.account), got,
		func(a *ledger.Account) *uint64 { return &a.Timestamp })
}

func (r *replayer) compareTransfers(rec *record, got []ledger.Transfer, err error) {
	require.NoError(r.t, err, rec.at)
	compareRows(r, rec, convert(rec.GotTransfers, recordedTransfer.transfer), got,
		func(t *ledger.Transfer) *uint64 { return &t.Timestamp })
}

// compareRows compares all fields of the rows, and the timestamps by their order.
func compareRows[T any](r *replayer, rec *record, want, got []T, timestamp func(*T) *uint64) {
	r.t.Helper()
	require.Len(r.t, got, len(want), rec.at)
	for i := range want {
		r.pair(rec, *timestamp(&want[i]), *timestamp(&got[i]))
		*timestamp(&want[i]) = *timestamp(&got[i])
		require.Equal(r.t, want[i], got[i], "%s: row %d", rec.at, i)
	}
}

func (r *replayer) pair(rec *record, recorded, own uint64) {
	require.NoError(r.t, r.times.pair(recorded, own), rec.at)
}

// timestamps translates recorded timestamps into those of the ledger under test.
type timestamps map[uint64]uint64

var errTimestamps = errors.New("timestamps are not those that were recorded")

func (m timestamps) pair(recorded, own uint64) error {
	if known, ok := m[recorded]; ok && known != own {
		return fmt.Errorf("%w: %d stood for %d, now for %d", errTimestamps, recorded, known, own)
	}
	m[recorded] = own
	return nil
}

// check sees to it that both ledgers put everything in the same order.
func (m timestamps) check() error {
	recorded := make([]uint64, 0, len(m))
	for at := range m {
		recorded = append(recorded, at)
	}
	slices.Sort(recorded)
	for i := 1; i < len(recorded); i++ {
		if before, after := recorded[i-1], recorded[i]; m[before] >= m[after] {
			return fmt.Errorf("%w: %d is before %d, but %d is not before %d",
				errTimestamps, before, after, m[before], m[after])
		}
	}
	return nil
}

// own translates a timestamp of a filter. One that was not recorded is not the
// ledger's and stays what it is.
func (m timestamps) own(recorded uint64) uint64 {
	if own, ok := m[recorded]; ok {
		return own
	}
	return recorded
}
