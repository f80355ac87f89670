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
	runSuite(t, open, newTally())
}

// RunAll is Run and RunRecorded, and logs what the two of them met together. open
// must return an empty ledger each time.
func RunAll(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	t.Helper()
	answers := newTally()
	t.Run("suite", func(t *testing.T) { runSuite(t, open, answers.newPart()) })
	t.Run("recorded", func(t *testing.T) { runRecorded(t, open, answers.newPart()) })
	answers.logCounts(t, "suite and recorded answers")
}

func runSuite(t *testing.T, open func(t *testing.T) ledger.Ledger, answers *coverage) {
	t.Helper()
	t.Run("scenarios", func(t *testing.T) { runScenarios(t, open, answers) })
	t.Run("requests", func(t *testing.T) {
		s := newSubject(t, open, answers)
		for _, c := range requestCases {
			t.Run(c.name, func(t *testing.T) { c.run(&requestTest{s, t}) })
		}
		RequireConserved(t, s) // the scenarios may have left holds on the same ledger
	})
	t.Run("closed", func(t *testing.T) {
		(&requestTest{newSubject(t, open, answers), t}).closedLedger()
	})
	t.Run("programs", func(t *testing.T) {
		s := newSubject(t, open, answers)
		runSeed(t, s, Seed(t))
		RequireConserved(t, s)
	})
	answers.logCounts(t, "the suite")
}

// runScenarios tells all scenarios to one ledger: first those that need no time,
// one after another, then those that wait.
func runScenarios(t *testing.T, open func(t *testing.T) ledger.Ledger, answers *coverage) {
	t.Helper()
	s, rules := newSubject(t, open, nil), answers.newPart()
	var waiting []story
	for _, c := range slices.Concat(
		storiesOf(t, "rules.txt", s.withCoverage(rules)), storiesOf(t, "edges.txt", s.withCoverage(answers)),
	) {
		if c.needsTime() {
			waiting = append(waiting, c)
		} else {
			t.Run(c.name, c.playScenario)
		}
	}
	t.Run("waiting", func(t *testing.T) { tellWaiting(t, s.sleeper != nil, waiting) })
	rules.logCounts(t, "rules.txt")
	RequireConserved(t, s)
}

// story is a scenario, and the ledger that it is told to.
type story struct {
	scenario
	subject *subject
}

func (c story) playScenario(t *testing.T) { playStep(t, c.subject, c.scenario) }

// tellWaiting tells scenarios that sleep. In real time they sleep side by side
// (t.Parallel would let only as many as there are processors). Where time is moved
// by hand that must not be, as one would let the other's holds expire.
func tellWaiting(t *testing.T, byHand bool, stories []story) {
	t.Helper()
	var sleeping sync.WaitGroup
	for _, c := range stories {
		run := func() { t.Run(c.name, c.playScenario) }
		if byHand {
			run()
		} else {
			sleeping.Go(run)
		}
	}
	sleeping.Wait()
}

// storiesOf are the scenarios of a file.
func storiesOf(t *testing.T, name string, s *subject) (stories []story) {
	t.Helper()
	f, err := scenarioFiles.Open(path.Join("testdata", name))
	require.NoError(t, err)
	scenarios, err := parseScenarios(name, f)
	require.NoError(t, err)
	for _, c := range scenarios {
		stories = append(stories, story{c, s})
	}
	return stories
}

func (c scenario) needsTime() bool {
	return slices.ContainsFunc(c.steps, func(s step) bool { _, ok := s.(sleepStep); return ok })
}
