package rfc0038_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// exchangesInWorld is how many exchanges go to one ledger.
const exchangesInWorld = 500

// TestServerAgainstModel has engines report random payments to two connector processes on one ledger, and compares the
// books with a model: for each account and key one value, added up exactly. Answers are lost, requests repeated and
// reordered, two engines of an account use the same keys, the accounts of peers and suspense are closed and opened, and
// processes end between any two requests to the ledger. PEERLEDGER_RFC0038_EXCHANGES is the number of exchanges,
// PEERLEDGER_RFC0038_SEED the seed.
func TestServerAgainstModel(t *testing.T) {
	t.Parallel()
	exchanges, seed := readNumber(t, "PEERLEDGER_RFC0038_EXCHANGES", 1000), readNumber(t, "PEERLEDGER_RFC0038_SEED", rand.Uint64())
	t.Logf("PEERLEDGER_RFC0038_SEED=%d, %d exchanges", seed, exchanges)
	total := make(map[string]int)
	for world := uint64(0); world*exchangesInWorld < exchanges; world++ {
		synctest.Test(t, func(t *testing.T) {
			w := newReportWorld(t, rand.New(rand.NewPCG(seed, world))) //nolint:gosec // a test repeats by its seed
			for range min(exchangesInWorld, exchanges-world*exchangesInWorld) {
				w.exchange()
			}
			w.requireModel()
			for what, n := range w.counts {
				total[what] += n
			}
		})
	}
	t.Log(total)
}

func readNumber(t *testing.T, name string, byDefault uint64) uint64 {
	t.Helper()
	text := cmp.Or(os.Getenv(name), strconv.FormatUint(byDefault, 10))
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// reportWorld is a ledger with two processes, the reports that engines have not had answered yet, and the model.
type reportWorld struct {
	t         *testing.T
	random    *rand.Rand
	ledger    *embedded.Ledger
	book      *accounts.Book
	accounts  []accounts.PeerAccount
	closings  []ledger.ID // of the accounts; zero: open
	suspense  []ledger.ID // the closings of our suspense accounts; zero: open
	processes [2]*process
	lastID    uint64
	counts    map[string]int

	sent    []modelReport // all, for repeats
	open    []modelReport // without an answer
	bound   map[modelKey]*big.Rat
	refused map[string]bool // key and value that got 409
}

// modelKey is what a payment is bound to.
type modelKey struct {
	account int
	key     string
}

// modelReport is a report of an engine, in one of the spellings of its value.
type modelReport struct {
	modelKey

	amount string
	scale  int
	value  *big.Rat // in units of the asset
}

var modelAssets = []accounts.Asset{{Code: "USD", Scale: 2, Ledger: 1}, {Code: "XRP", Scale: 6, Ledger: 2}, {Code: "JPY", Scale: 0, Ledger: 3}}

func newReportWorld(t *testing.T, random *rand.Rand) *reportWorld {
	t.Helper()
	w := &reportWorld{
		t: t, random: random, ledger: embedded.New(), counts: make(map[string]int), bound: make(map[modelKey]*big.Rat), refused: make(map[string]bool),
	}
	w.book = w.newBook(w.ledger)
	for _, asset := range modelAssets {
		peers, err := w.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: asset})
		require.NoError(t, err)
		w.accounts = append(w.accounts, peers[0])
	}
	w.closings, w.suspense = make([]ledger.ID, len(w.accounts)), make([]ledger.ID, len(w.accounts))
	for i := range w.processes {
		w.processes[i] = w.startProcess()
	}
	return w
}

func (w *reportWorld) newBook(l ledger.Ledger) *accounts.Book {
	w.t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{Assets: modelAssets})
	require.NoError(w.t, err)
	return book
}

// process is a connector process: all its memory is behind its server.
type process struct {
	server *rfc0038.Server
	ledger *crashingLedger
}

func (w *reportWorld) startProcess() *process {
	w.t.Helper()
	l := &crashingLedger{Ledger: w.ledger, crashAt: -1, loseAt: -1}
	engine, err := settlement.NewEngine(l, w.newBook(l), settlement.Config{})
	require.NoError(w.t, err)
	server, err := rfc0038.NewServer(rfc0038.ServerConfig{Engine: engine, Accounts: func(id string) (accounts.PeerAccount, error) {
		i, err := strconv.Atoi(id)
		return w.accounts[i], err
	}})
	require.NoError(w.t, err)
	return &process{server, l}
}

// exchange has some engines report at once, and compares the answers with the model.
func (w *reportWorld) exchange() {
	w.t.Helper()
	switch i := w.random.IntN(len(w.accounts)); w.random.IntN(20) {
	case 0:
		w.togglePeer(i)
	case 1:
		w.toggleSuspense(i)
	}
	process := w.random.IntN(len(w.processes))
	w.processes[process].ledger.plan(w.random)
	reports := make([]modelReport, 1+w.random.IntN(4)*w.random.IntN(2))
	targets := make([]*rfc0038.Server, len(reports))
	answers := make([]serverAnswer, len(reports))
	for i := range reports {
		reports[i], targets[i] = w.nextReport(), w.processes[w.random.IntN(len(w.processes))].server
		if i > 0 && w.random.IntN(2) == 0 { // two engines race for a key
			w.open = append(w.open, reports[i])
			reports[i] = w.newReport(reports[0].modelKey)
		}
	}
	var calls sync.WaitGroup
	for i, r := range reports {
		calls.Go(func() {
			answers[i] = answerOf(targets[i], newReport(fmt.Sprintf("/accounts/%d/settlements", r.account), r.key, r.body()))
		})
	}
	calls.Wait()
	for i, r := range reports {
		w.learn(r, answers[i].status)
	}
	if w.processes[process].ledger.crashed() {
		w.counts["crashes"]++
		w.processes[process] = w.startProcess()
	}
	if len(w.open) > 0 && w.random.IntN(20) == 0 {
		w.insist(w.processes[process].server)
	}
}

// insist has an engine repeat a report until it has an answer, or many times: more often than a key has attempts.
func (w *reportWorld) insist(server *rfc0038.Server) {
	w.t.Helper()
	i := w.random.IntN(len(w.open))
	r := w.open[i]
	w.open = slices.Delete(w.open, i, i+1)
	status := 0
	for try := 0; status == 0 && try < 20; try++ {
		status = answerOf(server, newReport(fmt.Sprintf("/accounts/%d/settlements", r.account), r.key, r.body())).status
	}
	if w.counts["insisted"]++; status == 0 {
		w.counts["insisted in vain"]++
	}
	w.learn(r, status)
}

func (r modelReport) body() string {
	return fmt.Sprintf(`{"amount":"%s","scale":%d}`, r.amount, r.scale)
}

// nextReport is a report without an answer, a repeat of any report, another value under a used key, or a new report.
func (w *reportWorld) nextReport() modelReport {
	var r modelReport
	switch kind := w.random.IntN(10); {
	case kind < 3 && len(w.open) > 0:
		i := w.random.IntN(len(w.open))
		r = w.open[i]
		w.open = slices.Delete(w.open, i, i+1)
	case kind < 4 && len(w.sent) > 0:
		r = w.respell(w.sent[w.random.IntN(len(w.sent))])
	case kind < 5 && len(w.sent) > 0:
		r = w.newReport(w.sent[w.random.IntN(len(w.sent))].modelKey)
	default:
		r = w.newReport(modelKey{w.random.IntN(len(w.accounts)), fmt.Sprintf("tx %d", w.random.IntN(2*exchangesInWorld))})
	}
	w.sent = append(w.sent, r)
	return r
}

// newReport has a random value. Small values and few scales make equal rows of different payments likely.
func (w *reportWorld) newReport(key modelKey) modelReport {
	assetScale := int(modelAssets[key.account].Scale)
	r := modelReport{modelKey: key, scale: max(0, assetScale+[]int{-1, 0, 1, 1, 1, 2, 3, 17, 38}[w.random.IntN(9)])}
	amount := big.NewInt(1 + w.random.Int64N([]int64{9, 99, 1 << 40}[w.random.IntN(3)]))
	if w.random.IntN(4) == 0 { // many digits, which often complete a unit
		amount = new(big.Int).Sub(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(r.scale)), nil), amount)
		amount.Abs(amount)
	}
	if amount.Sign() == 0 {
		amount.SetInt64(1)
	}
	r.amount = amount.String()
	r.value = new(big.Rat).SetInt(amount)
	r.value.Mul(r.value, tenTo(assetScale)).Quo(r.value, tenTo(r.scale))
	return r
}

// respell writes the value of a report at a finer scale.
func (w *reportWorld) respell(r modelReport) modelReport {
	for range w.random.IntN(3) {
		r.scale, r.amount = r.scale+1, r.amount+"0"
	}
	return r
}

// learn checks an answer against the model. Without an answer the report stays open.
func (w *reportWorld) learn(r modelReport, status int) {
	w.t.Helper()
	w.counts[strconv.Itoa(status)]++
	bound, known := w.bound[r.modelKey]
	switch status {
	case 0:
		w.open = append(w.open, r)
	case http.StatusCreated:
		require.True(w.t, !known || bound.Cmp(r.value) == 0, "key %v of %v was taken with %v before", r.modelKey, r.value, bound)
		require.False(w.t, w.refused[r.mark()], "%v of %v was refused before", r.modelKey, r.value)
		w.bound[r.modelKey] = r.value
	case http.StatusConflict:
		require.True(w.t, !known || bound.Cmp(r.value) != 0, "%v of %v was taken before", r.modelKey, r.value)
		w.refused[r.mark()] = true
	default:
		require.Fail(w.t, "no such answer", "%d to %+v", status, r)
	}
}

func (r modelReport) mark() string { return fmt.Sprint(r.modelKey, r.value.RatString()) }

// togglePeer closes a peer's account, or opens it again.
func (w *reportWorld) togglePeer(i int) {
	w.t.Helper()
	w.toggleClosed(i, w.book.PeerIDs(w.accounts[i]).Peer, &w.closings[i])
}

// toggleSuspense closes our suspense account, or opens it again: with the peer's account closed too, the ledger refuses
// the payment.
func (w *reportWorld) toggleSuspense(i int) {
	w.t.Helper()
	own, _ := w.book.AssetIDs(modelAssets[i].Ledger)
	w.toggleClosed(i, own.Suspense, &w.suspense[i])
}

func (w *reportWorld) toggleClosed(i int, account ledger.ID, closing *ledger.ID) {
	w.t.Helper()
	own, _ := w.book.AssetIDs(modelAssets[i].Ledger)
	row := ledger.Transfer{PendingID: *closing, Flags: ledger.TransferVoidPending}
	if closing.IsZero() {
		row = ledger.Transfer{
			DebitAccountID: account, CreditAccountID: own.Control, Ledger: modelAssets[i].Ledger,
			Code: chart.CodeClose, Flags: ledger.TransferPending | ledger.TransferClosingDebit,
		}
	}
	w.lastID++
	row.ID = ledger.NewID(w.lastID, 77)
	results, err := w.ledger.CreateTransfers(w.t.Context(), []ledger.Transfer{row})
	require.NoError(w.t, err)
	require.Equal(w.t, ledger.TransferCreated, results[0].Status)
	if *closing = row.ID; row.Flags.Has(ledger.TransferVoidPending) {
		*closing = ledger.ID{}
	}
}

// requireModel has all open reports answered by a new process, and compares the sums.
func (w *reportWorld) requireModel() {
	w.t.Helper()
	for i := range w.accounts {
		if !w.suspense[i].IsZero() {
			w.toggleSuspense(i)
		}
	}
	last := w.startProcess()
	for _, r := range slices.Concat(w.open, w.sent) {
		answer := answerOf(last.server, newReport(fmt.Sprintf("/accounts/%d/settlement", r.account), r.key, r.body()))
		require.NotZero(w.t, answer.status)
		w.learn(r, answer.status)
	}
	engine, err := settlement.NewEngine(w.ledger, w.book, settlement.Config{})
	require.NoError(w.t, err)
	for i, a := range w.accounts {
		sum := new(big.Rat)
		for key, value := range w.bound {
			if key.account == i {
				sum.Add(sum, value)
			}
		}
		found, err := w.ledger.LookupAccounts(w.t.Context(), []ledger.ID{w.book.PeerIDs(a).Settlement})
		require.NoError(w.t, err)
		remainder, err := engine.Remainder(w.t.Context(), a)
		require.NoError(w.t, err)
		require.Equal(w.t, -1, remainder.Cmp(big.NewRat(1, 1)))
		booked := new(big.Rat).Add(remainder, new(big.Rat).SetInt(found[0].DebitsPosted.Big()))
		require.Equal(w.t, sum.RatString(), booked.RatString(), "reported and booked for %v", a)
		if !w.closings[i].IsZero() {
			w.togglePeer(i)
		}
		released, err := engine.Release(w.t.Context(), a)
		require.NoError(w.t, err)
		b, err := w.book.Balance(w.t.Context(), a)
		require.NoError(w.t, err)
		require.Equal(w.t, found[0].DebitsPosted, b.SettledIn, "after the release of %v", released.Amount)
		require.Equal(w.t, found[0].DebitsPosted, b.Payable)
	}
	ledgertest.RequireNothingHeld(w.t, w.ledger)
}

// crashingLedger is the ledger as a process sees it: the process ends at a request, before or after the ledger has
// applied it, or an answer is lost.
type crashingLedger struct {
	ledger.Ledger

	mu      sync.Mutex
	calls   int
	crashAt int  // the number of the request at which the process ends; -1: none
	after   bool // the request was applied
	loseAt  int  // the number of the request whose answer is lost; -1: none
	ended   bool
}

var errProcessEnded = errors.New("the process has ended")

// plan draws the faults of the next requests.
func (l *crashingLedger) plan(random *rand.Rand) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls, l.crashAt, l.loseAt, l.after = 0, -1, -1, random.IntN(2) == 0
	switch random.IntN(4) {
	case 0:
		l.crashAt = random.IntN(6)
	case 1:
		l.loseAt = random.IntN(6)
	}
}

func (l *crashingLedger) crashed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// begin counts a request: it fails before or after it is applied.
func (l *crashingLedger) begin(lost error) (before, after error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.calls
	l.calls++
	switch {
	case l.ended:
		return errProcessEnded, nil
	case n == l.crashAt:
		l.ended = true
		if l.after {
			return nil, errProcessEnded
		}
		return errProcessEnded, nil
	case n == l.loseAt && l.after:
		return nil, lost
	case n == l.loseAt:
		return lost, nil
	}
	return nil, nil
}

func runCrashing[R any](l *crashingLedger, lost error, do func() (R, error)) (none R, err error) {
	before, after := l.begin(lost)
	if before != nil {
		return none, before
	}
	answer, err := do()
	if after != nil {
		return none, after
	}
	return answer, err
}

func (l *crashingLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return runCrashing(l, ledger.ErrOutcomeUnknown, func() ([]ledger.CreateTransferResult, error) { return l.Ledger.CreateTransfers(ctx, rows) })
}

var errNoAnswer = errors.New("the ledger did not answer")

func (l *crashingLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	return runCrashing(l, errNoAnswer, func() ([]ledger.Account, error) { return l.Ledger.LookupAccounts(ctx, ids) })
}

func (l *crashingLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	return runCrashing(l, errNoAnswer, func() ([]ledger.Transfer, error) { return l.Ledger.LookupTransfers(ctx, ids) })
}

func (l *crashingLedger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return runCrashing(l, errNoAnswer, func() ([]ledger.Transfer, error) { return l.Ledger.GetAccountTransfers(ctx, filter) })
}
