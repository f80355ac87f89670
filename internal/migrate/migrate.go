// Package migrate copies a whole ledger into an empty one: every account and transfer with its own
// time, as imported events. [Run] migrates a cluster of one replica to three or six replicas,
// because the number of a cluster's replicas never changes.
//
// Rows are written in the order of their times, so the new ledger passes through the same states.
// Three things differ in the new ledger. Rows have the flag imported. Holds have no timeout,
// because imported transfers may not have one. An expired hold is voided by an additional row, at
// the time of expiry or the first free time after. Reservations of recorders in rounds are holds too.
//
// The ids burnt by refusals are burnt again if the old ledger is an embedded one, which lists them. A
// server does not list them. From a server, Run burns the ids again that protect packets from being
// booked twice: see burner.addEarlierPhases.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// The errors of a migration.
var (
	// ErrNotEmpty is returned when the new ledger has rows that the old one does not have.
	ErrNotEmpty = errors.New("migrate: the new ledger is not empty")
	// ErrRefused is returned when the new ledger refuses a row of the old one.
	ErrRefused = errors.New("migrate: the new ledger refuses a row")
	// ErrDifferent is returned when the ledgers differ at the end.
	ErrDifferent = errors.New("migrate: the ledgers differ")
	// ErrEmpty is returned when the old ledger is empty: probably the wrong ledger.
	ErrEmpty = errors.New("migrate: the old ledger is empty")
	// ErrTooYoung is returned when a row is too new to be imported safely.
	ErrTooYoung = errors.New("migrate: the old ledger is still written to")
)

// Progress is the progress of [Run].
type Progress struct {
	Phase string // the step: "accounts", "transfers", "waiting for holds", "burnt ids" or "comparing"
	Done  int    // the rows done in this step
}

// Result counts the rows copied by [Run].
type Result struct {
	Accounts      int `json:"accounts"`
	Transfers     int `json:"transfers"`
	Expired       int `json:"expired_holds"` // holds voided by an additional row
	AlreadyCopied int `json:"already"`       // rows that an earlier run had copied
	Burnt         int `json:"burnt_ids"`     // ids burnt again in the new ledger
}

// minAge is the minimum age of the newest row. TigerBeetle 0.17.9 crashes at an imported time that
// is not before the time of the request (upstream #3867 is about such cases).
const minAge = 5 * time.Second

// maxPageSize is the largest number of rows in a request, for writing and reading.
const maxPageSize = 2000

// migration is one run.
type migration struct {
	ctx      context.Context //nolint:containedctx // a migration lives as long as Run
	from, to ledger.Ledger
	progress func(Progress)
	now      func() time.Time
	pageSize int // rows in a request

	requestMax int // most rows in a request, for a chain of more than pageSize, and for burnt ids

	result        Result
	accounts      []uint64 // times of all accounts, ascending
	newestCopied  uint64   // time of the newest transfer in the new ledger at the start
	newestWritten uint64   // time of the newest transfer written, or found written
	batch         []ledger.Transfer
	holds         openHolds
}

// Run copies a ledger into another one. No other program may write to either ledger. Run waits
// until the timeouts of all holds of the old ledger have passed. After an error, call Run again: it
// continues. batch is the largest number of rows that both ledgers take in a request. progress may
// be nil.
//
// Errors: [ErrEmpty], [ErrTooYoung], and errors of the requests; [ErrNotEmpty], [ErrRefused] and
// [ErrDifferent], which name the row.
func Run(ctx context.Context, from, to ledger.Ledger, batch int, progress func(Progress)) (Result, error) {
	m := &migration{ctx: ctx, from: from, to: to, progress: progress, now: time.Now, pageSize: min(batch, maxPageSize), requestMax: batch, holds: newOpenHolds()}
	return m.runSteps()
}

// runSteps makes the steps in order.
func (m *migration) runSteps() (Result, error) {
	for _, step := range []func() error{m.checkQuiet, m.copyAccounts, m.copyTransfers, m.burnAgain, m.compareLedgers} {
		if err := step(); err != nil {
			return m.result, err
		}
	}
	return m.result, nil
}

// checkQuiet refuses an old ledger with a new row before anything is copied: copying may take
// hours.
func (m *migration) checkQuiet() error {
	account, err := readNewest(m.ctx, m.from.QueryAccounts, func(a *ledger.Account) uint64 { return a.Timestamp })
	if err != nil {
		return err
	}
	transfer, err := readNewest(m.ctx, m.from.QueryTransfers, transferTime)
	if err != nil {
		return err
	}
	return m.checkAge(max(account, transfer))
}

// reportProgress calls the progress callback, if there is one.
func (m *migration) reportProgress(what string, done int) {
	if m.progress != nil {
		m.progress(Progress{what, done})
	}
}

// copyAccounts copies all accounts. Accounts come first: a transfer needs its accounts.
func (m *migration) copyAccounts() error {
	have, err := readNewest(m.ctx, m.to.QueryAccounts, func(a *ledger.Account) uint64 { return a.Timestamp })
	if err != nil {
		return err
	}
	found := have == 0
	err = eachPage(m.ctx, m.from.QueryAccounts, func(a *ledger.Account) uint64 { return a.Timestamp }, 0, m.pageSize, func(page []ledger.Account) error {
		var events []ledger.Account
		for i := range page {
			a := &page[i]
			m.accounts = append(m.accounts, a.Timestamp)
			m.result.Accounts++
			if a.Timestamp <= have {
				found = found || a.Timestamp == have
				m.result.AlreadyCopied++
				continue
			}
			flags, err := m.readCreationFlags(a)
			if err != nil {
				return err
			}
			events = append(events, ledger.Account{
				ID: a.ID, UserData128: a.UserData128, UserData64: a.UserData64, UserData32: a.UserData32, Ledger: a.Ledger, Code: a.Code,
				Flags: flags | ledger.AccountImported, Timestamp: a.Timestamp,
			})
		}
		m.reportProgress("accounts", m.result.Accounts)
		return m.writeAccounts(events)
	})
	if err == nil && m.result.Accounts == 0 {
		return ErrEmpty
	}
	if err == nil && !found {
		return fmt.Errorf("%w: it has an account of %v that the old ledger lacks", ErrNotEmpty, toTime(have))
	}
	return err
}

// readCreationFlags returns the flags with which an account was created. A closed account was
// closed by a transfer, or, without any transfer, was created closed.
func (m *migration) readCreationFlags(a *ledger.Account) (ledger.AccountFlags, error) {
	if !a.Flags.Has(ledger.AccountClosed) {
		return a.Flags, nil
	}
	rows, err := m.from.GetAccountTransfers(m.ctx, ledger.AccountFilter{
		AccountID: a.ID, Limit: 1, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	})
	if err != nil || len(rows) == 0 {
		return a.Flags, err
	}
	return a.Flags &^ ledger.AccountClosed, nil
}

// writeAccounts writes a page of accounts.
func (m *migration) writeAccounts(events []ledger.Account) error {
	for len(events) > 0 && events[len(events)-1].Flags.Has(ledger.AccountLinked) {
		// The chain continues in the next page. Its rows were applied in the old ledger, so the
		// copy need not be a chain.
		events[len(events)-1].Flags &^= ledger.AccountLinked
	}
	if len(events) == 0 {
		return nil
	}
	if err := m.checkAge(events[len(events)-1].Timestamp); err != nil {
		return err
	}
	results, err := m.to.CreateAccounts(m.ctx, events)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Status != ledger.AccountCreated {
			return fmt.Errorf("%w: account %v: %v", ErrRefused, events[i].ID, r.Status)
		}
	}
	return nil
}

// checkAge refuses times younger than minAge.
func (m *migration) checkAge(timestamp uint64) error {
	if age := m.now().Sub(time.Unix(0, int64(timestamp))); age < minAge {
		return fmt.Errorf("%w: its newest row is %v old, and must be %v old; stop all connectors, and try again", ErrTooYoung, age.Round(time.Millisecond), minAge)
	}
	return nil
}

// toTime converts a timestamp of the ledger.
func toTime(timestamp uint64) time.Time { return time.Unix(0, int64(timestamp)).UTC() }

// readNewest returns the time of the newest row; 0 if there is none.
func readNewest[T any](ctx context.Context, query func(context.Context, ledger.QueryFilter) ([]T, error), timestamp func(*T) uint64) (uint64, error) {
	rows, err := query(ctx, ledger.QueryFilter{Limit: 1, Flags: ledger.QueryFilterReversed})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return timestamp(&rows[0]), nil
}

// eachPage calls page with all rows after a time, oldest first.
func eachPage[T any](
	ctx context.Context, query func(context.Context, ledger.QueryFilter) ([]T, error), timestamp func(*T) uint64,
	after uint64, limit int, page func([]T) error,
) error {
	for {
		rows, err := query(ctx, ledger.QueryFilter{TimestampMin: after + 1, Limit: uint32(limit)})
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := page(rows); err != nil {
			return err
		}
		after = timestamp(&rows[len(rows)-1])
	}
}
