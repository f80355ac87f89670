package ledgertest

import (
	"embed"
	"path"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

//go:embed testdata/*.txt
var scenarioFiles embed.FS

// Run tests the rules that every ledger must keep: the scenarios in testdata, requests as a whole
// (limits, order, concurrency, closing), and random programs of one seed. The log shows the seed;
// PEERLEDGER_SEED repeats a run. The log also shows how often each status was met, and the statuses
// never met.
//
// Each part of the suite calls open and closes the ledger. open may return a new ledger, or a new
// session of the same ledger. The ledger may hold other accounts, because ids are drawn at random.
// Run must be the only writer: an account or transfer written in between makes an import regress.
//
// Run also checks the change events of a ledger that implements [ledger.ChangeFeed]. With a ledger
// that implements [Sleeper], Run does not wait some three seconds for holds to expire.
func Run(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	t.Helper()
	runSuite(t, open, newCoverage())
}

// RunAll is [Run] and [RunRecorded], and logs the statuses met by both together. open must return
// an empty ledger each time.
func RunAll(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	t.Helper()
	counts := newCoverage()
	t.Run("suite", func(t *testing.T) { runSuite(t, open, counts.newPart()) })
	t.Run("recorded", func(t *testing.T) { runRecorded(t, open, counts.newPart()) })
	counts.logCounts(t, "suite and recorded answers")
}

func runSuite(t *testing.T, open func(t *testing.T) ledger.Ledger, counts *coverage) {
	t.Helper()
	t.Run("scenarios", func(t *testing.T) { runScenarios(t, open, counts) })
	t.Run("requests", func(t *testing.T) {
		s := newSubject(t, open, counts)
		for _, c := range requestCases {
			t.Run(c.name, func(t *testing.T) { c.run(&requestTest{s, t}) })
		}
		RequireConserved(t, s) // the scenarios may have left holds on the same ledger
	})
	t.Run("closed", func(t *testing.T) {
		(&requestTest{newSubject(t, open, counts), t}).testClosedLedger()
	})
	t.Run("programs", func(t *testing.T) {
		s := newSubject(t, open, counts)
		runSeed(t, s, Seed(t))
		RequireConserved(t, s)
	})
	counts.logCounts(t, "the suite")
}

// runScenarios runs all scenarios on one ledger. The scenarios that sleep come last.
func runScenarios(t *testing.T, open func(t *testing.T) ledger.Ledger, counts *coverage) {
	t.Helper()
	s, rules := newSubject(t, open, nil), counts.newPart()
	var waiting []scenarioTest
	for _, c := range slices.Concat(
		loadScenarios(t, "rules.txt", s.withCoverage(rules)), loadScenarios(t, "edges.txt", s.withCoverage(counts)),
	) {
		if c.needsTime() {
			waiting = append(waiting, c)
		} else {
			t.Run(c.name, c.runTest)
		}
	}
	t.Run("waiting", func(t *testing.T) { runSleeping(t, s.sleeper != nil, waiting) })
	rules.logCounts(t, "rules.txt")
	RequireConserved(t, s)
}

// scenarioTest is a scenario, and the ledger to run it on.
type scenarioTest struct {
	scenario
	subject *subject
}

func (c scenarioTest) runTest(t *testing.T) { runScenario(t, c.subject, c.scenario) }

// runSleeping runs scenarios that sleep. In real time all scenarios sleep concurrently; t.Parallel
// would run only GOMAXPROCS at a time. With a manual clock the scenarios run one after another,
// because the sleep of one would expire the holds of another.
func runSleeping(t *testing.T, manualClock bool, tests []scenarioTest) {
	t.Helper()
	var sleeping sync.WaitGroup
	for _, c := range tests {
		run := func() { t.Run(c.name, c.runTest) }
		if manualClock {
			run()
		} else {
			sleeping.Go(run)
		}
	}
	sleeping.Wait()
}

// loadScenarios parses a file of testdata.
func loadScenarios(t *testing.T, name string, s *subject) (tests []scenarioTest) {
	t.Helper()
	f, err := scenarioFiles.Open(path.Join("testdata", name))
	require.NoError(t, err)
	scenarios, err := parseScenarios(name, f)
	require.NoError(t, err)
	for _, c := range scenarios {
		tests = append(tests, scenarioTest{c, s})
	}
	return tests
}

func (c scenario) needsTime() bool {
	return slices.ContainsFunc(c.steps, func(s step) bool { _, ok := s.(sleepStep); return ok })
}
