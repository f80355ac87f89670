package ledgertest_test

import (
	"context"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// One test runs the suite on a ledger.
func ExampleRun() {
	testConformance := func(t *testing.T) { // func TestConformance(t *testing.T)
		t.Helper()
		ledgertest.Run(t, func(*testing.T) ledger.Ledger { return embedded.New() })
	}
	_ = testConformance
}

// manualClock is a ledger whose time stands still until Sleep is called.
type manualClock struct {
	*embedded.Ledger
	now time.Time
}

func newManualClock() *manualClock {
	l := &manualClock{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	l.Ledger = embedded.New(embedded.WithClock(func() time.Time { return l.now }))
	return l
}

func (l *manualClock) Sleep(d time.Duration) { l.now = l.now.Add(d) }

// With a ledger that implements Sleeper the suite does not wait for holds to expire.
func ExampleSleeper() {
	testConformance := func(t *testing.T) { // func TestConformance(t *testing.T)
		t.Helper()
		ledgertest.Run(t, func(*testing.T) ledger.Ledger { return newManualClock() })
	}
	_ = testConformance

	l := newManualClock()
	var sleeper ledgertest.Sleeper = l
	before := l.now
	sleeper.Sleep(time.Hour)
	fmt.Println(l.now.Sub(before))
	// Output: 1h0m0s
}

// A fuzz target draws programs from its bytes. With a clock moved only by the program, the same
// bytes repeat a finding, and holds expire. (With the real clock no hold expires, and imports have
// different timestamps each time.)
func ExampleRunBytes() {
	fuzzPrograms := func(f *testing.F) { // func FuzzPrograms(f *testing.F)
		f.Helper()
		f.Fuzz(func(t *testing.T, data []byte) { ledgertest.RunBytes(t, newManualClock(), data) })
	}
	_ = fuzzPrograms
}

// Two ledgers give the same answers. (One of the two may be a cluster.)
func ExampleRunDifferential() {
	testDifferential := func(t *testing.T) { // func TestDifferential(t *testing.T)
		t.Helper()
		first, second := embedded.New(), embedded.New(embedded.WithBatchMax(253))
		ledgertest.RunDifferential(t, first, second, ledgertest.Seed(t))
	}
	_ = testDifferential
}

// printingT replaces the *testing.T of a test.
type printingT struct{ testing.TB }

func (printingT) Helper()                           {}
func (printingT) Context() context.Context          { return context.Background() }
func (printingT) Errorf(format string, args ...any) { fmt.Printf(format, args...) }
func (printingT) FailNow()                          {}

// A test that moves money ends by checking that no unit was made or lost.
func ExampleRequireConserved() {
	ctx := context.Background()
	l := embedded.New()
	if _, err := l.CreateAccounts(ctx, []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1},
		{ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	}); err != nil {
		log.Fatal(err)
	}
	results, err := l.CreateTransfers(ctx, []ledger.Transfer{{
		ID: ledger.NewID(10, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
		Amount: ledger.NewAmount(5), Ledger: 1, Code: 1,
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[0].Status)

	t := printingT{} // in a test: the test's t
	ledgertest.RequireConserved(t, l)
	ledgertest.RequireNothingHeld(t, l)
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: created
}
