//go:build race

package journal_test

// momentEntries is small with the race detector: the programs take the time, not our code.
const momentEntries = 1000
