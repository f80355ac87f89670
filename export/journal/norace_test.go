//go:build !race

package journal_test

const momentEntries = 100_000
