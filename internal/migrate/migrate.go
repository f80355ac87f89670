// Package migrate copies a whole ledger into an empty one, every account and transfer with
// its own time, as imported events: the way from a cluster of one replica to one of three or
// six, whose number never changes.
//
// The rows are written in the order of their times, so the new ledger goes through the same
// states. Three things differ afterwards: rows have the flag imported, holds have no
// timeout, since imported ones may not have any, and a hold that had expired is voided by a
// row of its own, at the time when it expired or as soon after it as there is one free.
//
// Which ids the old ledger has burnt, by refusing them, no ledger tells. Those that keep the
// books right are burnt again: see burnAgain.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// What migrating ends with.
var (
	// ErrNotEmpty says that the new ledger has rows that are not of the old one.
	ErrNotEmpty = errors.New("migrate: the new ledger is not empty")
	// ErrRefused says that the new ledger does not take a row as the old one has it.
	ErrRefused = errors.New("migrate: the new ledger refuses a row")
	// ErrDifferent says that the ledgers are not the same at the end.
	ErrDifferent = errors.New("migrate: the ledgers differ")
	// ErrEmpty says that the old ledger has nothing in it: it is hardly the one that is meant.
	ErrEmpty = errors.New("migrate: the old ledger is empty")
	// ErrTooYoung says that a row is so new that importing it is not safe.
	ErrTooYoung = errors.New("migrate: the old ledger is still written to")
)

// Progress is how far a migration is.
type Progress struct {
	What string // "accounts", "transfers", "waiting for holds", "burnt ids" or "comparing"
	Done int    // of them
}

// Result is what a migration has copied.
type Result struct {
	Accounts  int `json:"accounts"`
	Transfers int `json:"transfers"`
	Expired   int `json:"expired_holds"` // of the transfers' holds, those that are voided by a row of ours
	Already   int `json:"already"`       // of all rows, those that an earlier run had copied
	Burnt     int `json:"burnt_ids"`     // ids that the old ledger refused for ever, and the new one now does, too
}

// minAge is how old the newest row must be. TigerBeetle 0.17.9 ends at an imported time that
// is not behind the time of the request (upstream #3867 is about such cases).
const minAge = 5 * time.Second

// maxPageSize is how many rows are written at a time, and read.
const maxPageSize = 2000

// migration is one copy.
type migration struct {
	ctx      context.Context //nolint:containedctx // it lives as long as Run
	from, to ledger.Ledger
	progress func(Progress)
	now      func() time.Time
	pageSize     int // rows in a request

	result   Result
	accounts []uint64 // times of all accounts, ascending
	newestCopied     uint64   // the newest transfer that the new ledger had at the beginning
	newestWritten     uint64   // time of the newest transfer that was written, or would have been
	batch    []ledger.Transfer
	holds    openHolds
}

// Run copies a ledger into another one. Nothing else may write to either; it waits for holds
// of the old one to end by their timeouts. It may be repeated after any error, and goes on
// where it was. batch is how many rows the ledgers take in a request, at most. progress may
// be nil.
//
// Errors: ErrEmpty; ErrNotEmpty, ErrRefused and ErrDifferent name the row; ErrTooYoung; those of the
// requests.
func Run(ctx context.Context, from, to ledger.Ledger, batch int, progress func(Progress)) (Result, error) {
	m := &migration{ctx: ctx, from: from, to: to, progress: progress, now: time.Now, pageSize: min(batch, maxPageSize), holds: newOpenHolds()}
	return m.runSteps()
}

func (m *migration) runSteps() (Result, error) {
	for _, step := range []func() error{m.checkQuiet, m.copyAccounts, m.copyTransfers, m.burnAgain, m.compareLedgers} {
		if err := step(); err != nil {
			return m.result, err
		}
	}
	return m.result, nil
}

// checkQuiet refuses an old ledger that somebody has just written to, before anything is copied:
// copying may take hours.
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

func (m *migration) reportProgress(what string, done int) {
	if m.progress != nil {
		m.progress(Progress{what, done})
	}
}

// copyAccounts copies all accounts. They may be older than transfers, so they come first.
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
				m.result.Already++
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
		return fmt.Errorf("%w: it has an account of %v that the old one has not", ErrNotEmpty, toTime(have))
	}
	return err
}

// readCreationFlags is the flags that an account was created with: one that is closed was closed by a
// transfer, or, if it never had any, from the beginning.
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

func (m *migration) writeAccounts(events []ledger.Account) error {
	for len(events) > 0 && events[len(events)-1].Flags.Has(ledger.AccountLinked) {
		// A chain that goes on in the next page: what is stored has been applied, so it need
		// not be one again.
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

// checkAge refuses times that are hardly past.
func (m *migration) checkAge(timestamp uint64) error {
	if age := m.now().Sub(time.Unix(0, int64(timestamp))); age < minAge {
		return fmt.Errorf("%w: its newest row is %v old, and must be %v; stop all connectors, and try again", ErrTooYoung, age.Round(time.Millisecond), minAge)
	}
	return nil
}

func toTime(timestamp uint64) time.Time { return time.Unix(0, int64(timestamp)).UTC() }

// readNewest is the time of the newest row; 0 if there is none.
func readNewest[T any](ctx context.Context, query func(context.Context, ledger.QueryFilter) ([]T, error), timestamp func(*T) uint64) (uint64, error) {
	rows, err := query(ctx, ledger.QueryFilter{Limit: 1, Flags: ledger.QueryFilterReversed})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return timestamp(&rows[0]), nil
}

// eachPage gives all rows after a time, oldest first.
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
