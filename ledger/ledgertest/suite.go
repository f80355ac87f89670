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
// programs whose seed it prints (PEERLEDGER_SEED repeats one).
//
// open is called for each part of the suite and may return a new ledger or a new
// session on the same one; the suite closes what it opens. The ledger may hold
// other accounts, as ids are drawn at random, but nobody else should write
// meanwhile: an account or transfer in between makes an import regress. A ledger
// that implements ledger.ChangeFeed is asked for change events too; one that
// implements Sleeper need not wait for expiries (some three seconds).
func Run(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	t.Helper()
	answers := newTally()
	t.Run("scenarios", func(t *testing.T) { runScenarios(t, newSubject(t, open, answers)) })
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
		RunProgram(t, s, Seed(t))
		RequireConserved(t, s)
	})
	answers.log(t)
}

// runScenarios tells all scenarios to one ledger: first those that need no time,
// one after another, then those that wait.
func runScenarios(t *testing.T, s *subject) {
	t.Helper()
	stories := allScenarios(t)
	for _, story := range stories {
		if !story.sleeps() {
			t.Run(story.name, func(t *testing.T) { play(t, s, story) })
		}
	}
	waiting := slices.DeleteFunc(stories, func(c scenario) bool { return !c.sleeps() })
	t.Run("waiting", func(t *testing.T) { runWaiting(t, s, waiting) })
	RequireConserved(t, s)
}

// runWaiting tells scenarios that sleep. In real time they sleep side by side
// (t.Parallel would let only as many as there are processors). Where time is moved
// by hand that must not be, as one would let the other's holds expire.
func runWaiting(t *testing.T, s *subject, stories []scenario) {
	t.Helper()
	var sleeping sync.WaitGroup
	for _, story := range stories {
		run := func() { t.Run(story.name, func(t *testing.T) { play(t, s, story) }) }
		if s.sleeper == nil {
			sleeping.Go(run)
		} else {
			run()
		}
	}
	sleeping.Wait()
}

func allScenarios(t *testing.T) (stories []scenario) {
	t.Helper()
	files, err := scenarioFiles.ReadDir("testdata")
	require.NoError(t, err)
	for _, file := range files {
		f, err := scenarioFiles.Open(path.Join("testdata", file.Name()))
		require.NoError(t, err)
		parsed, err := parseScenarios(file.Name(), f)
		require.NoError(t, err)
		stories = append(stories, parsed...)
	}
	return stories
}

func (c scenario) sleeps() bool {
	return slices.ContainsFunc(c.steps, func(s step) bool { _, ok := s.(sleepStep); return ok })
}
