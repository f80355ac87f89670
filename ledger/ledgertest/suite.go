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

// Run puts a ledger through everything that a ledger must do: the scenarios in
// testdata, requests as a whole (limits, order, concurrency, closing), and random
// programs of a seed that it prints (PEERLEDGER_SEED repeats one). It logs which
// statuses it met, how often, and which never.
//
// open is called for each part of the suite and may return a new ledger or a new
// session on the same one; the suite closes what it opens. The ledger may hold
// other accounts, as ids are drawn at random, but nobody else should write
// meanwhile: an account or transfer in between makes an import regress. A ledger
// that implements ledger.ChangeFeed is asked for change events too; one that
// implements Sleeper need not wait for expiries (some three seconds).
func Run(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	t.Helper()
	runSuite(t, open, newCoverage())
}

// RunAll is Run and RunRecorded, and logs what the two of them met together. open
// must return an empty ledger each time.
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

// runScenarios tells all scenarios to one ledger: first those that need no time,
// one after another, then those that wait.
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

// scenarioTest is a scenario, and the ledger that it is told to.
type scenarioTest struct {
	scenario
	subject *subject
}

func (c scenarioTest) runTest(t *testing.T) { runScenario(t, c.subject, c.scenario) }

// runSleeping tells scenarios that sleep. In real time they sleep side by side
// (t.Parallel would let only as many as there are processors). Where time is moved
// by hand that must not be, as one would let the other's holds expire.
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

// loadScenarios are the scenarios of a file.
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
