package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// goBooks is the same double entry as books.c, by package database/sql and its driver: how a program
// in Go uses SQLite. It is not safe for concurrent use.
type goBooks struct {
	ctx  context.Context // of one measurement
	db   *sql.DB
	conn *sql.Conn

	begin, commit, insert, findHold, takeHold, update *sql.Stmt

	accounts map[ledger.ID]*goAccount
	byRow    []*goAccount
	touched  []*goAccount
}

// goAccount is a row in memory, as in books.c.
type goAccount struct {
	row      int64
	limited  bool
	touched  bool
	balances balances
}

// The indices of balances.
const (
	debitsPending = iota
	creditsPending
	debitsPosted
	creditsPosted
)

const goSchema = `CREATE TABLE accounts(row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, limited INTEGER NOT NULL,
 debits_pending INTEGER NOT NULL, credits_pending INTEGER NOT NULL, debits_posted INTEGER NOT NULL, credits_posted INTEGER NOT NULL);
CREATE TABLE transfers(id BLOB PRIMARY KEY, debit INTEGER NOT NULL, credit INTEGER NOT NULL,
 amount INTEGER NOT NULL, pending BLOB, user_data_128 BLOB, user_data_64 INTEGER, user_data_32 INTEGER,
 timeout INTEGER, ledger INTEGER NOT NULL, code INTEGER NOT NULL, flags INTEGER NOT NULL,
 timestamp INTEGER NOT NULL, held INTEGER NOT NULL) WITHOUT ROWID;`

func openGoBooks(ctx context.Context, path string, pragmas []string, indexed bool) (b *goBooks, err error) {
	b = &goBooks{ctx: ctx, accounts: map[ledger.ID]*goAccount{}}
	if b.db, err = sql.Open("sqlite3", path); err != nil {
		return nil, err
	}
	if b.conn, err = b.db.Conn(ctx); err != nil {
		return nil, errors.Join(err, b.db.Close())
	}
	texts := append(pragmas[:len(pragmas):len(pragmas)], goSchema)
	if indexed {
		texts = append(texts, indexes)
	}
	for _, text := range texts {
		if _, err = b.conn.ExecContext(ctx, text); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	for _, s := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&b.begin, "BEGIN IMMEDIATE"},
		{&b.commit, "COMMIT"},
		{&b.insert, "INSERT INTO transfers VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
		{&b.findHold, "SELECT debit, credit, amount, timestamp + 1000000000 * timeout FROM transfers WHERE id = ? AND held = 1"},
		{&b.takeHold, "UPDATE transfers SET held = 0 WHERE id = ?"},
		{&b.update, "UPDATE accounts SET debits_pending = ?, credits_pending = ?, debits_posted = ?, credits_posted = ? WHERE row = ?"},
	} {
		if *s.to, err = b.conn.PrepareContext(ctx, s.text); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	return b, nil
}

func keyOf(id ledger.ID) []byte {
	key := id.Bytes()
	return key[:]
}

func (b *goBooks) addAccount(id ledger.ID, limited bool, credits int64) error {
	a := &goAccount{row: int64(len(b.byRow)), limited: limited}
	a.balances[creditsPosted] = credits
	b.byRow, b.accounts[id] = append(b.byRow, a), a
	_, err := b.conn.ExecContext(b.ctx, "INSERT INTO accounts VALUES(?,?,?,0,0,0,?)", a.row, keyOf(id), limited, credits)
	return err
}

// goMovement is a transfer with its accounts and its amount.
type goMovement struct {
	debit, credit *goAccount
	amount        int64
}

func (b *goBooks) change(a *goAccount, balance int, by int64) {
	if !a.touched {
		a.touched = true
		b.touched = append(b.touched, a)
	}
	a.balances[balance] += by
}

// errRefused is the error of a transfer that a rule refuses. The run ends then.
var errRefused = errors.New("refused")

// apply runs a batch as one transaction. Every transfer must be created.
func (b *goBooks) apply(events []ledger.Transfer) error {
	if len(events) == 0 {
		return nil
	}
	if _, err := b.begin.ExecContext(b.ctx); err != nil {
		return err
	}
	now := time.Now().UnixNano()
	for i := range events {
		t := &events[i]
		t.Timestamp = uint64(now) + uint64(i)
		m, err := b.check(t, now)
		if err != nil {
			return fmt.Errorf("transfer %v: %w", t.ID, err)
		}
		if err := b.writeRows(t, m); err != nil {
			return err
		}
	}
	for _, a := range b.touched {
		a.touched = false
		s := &a.balances
		if _, err := b.update.ExecContext(b.ctx, s[0], s[1], s[2], s[3], a.row); err != nil {
			return err
		}
	}
	b.touched = b.touched[:0]
	_, err := b.commit.ExecContext(b.ctx)
	return err
}

func (b *goBooks) check(t *ledger.Transfer, now int64) (m goMovement, err error) {
	if t.Flags.Has(ledger.TransferPostPending) {
		var debit, credit, expires int64
		if err := b.findHold.QueryRowContext(b.ctx, keyOf(t.PendingID)).Scan(&debit, &credit, &m.amount, &expires); err != nil {
			return m, err
		}
		if expires <= now {
			return m, errRefused
		}
		m.debit, m.credit = b.byRow[debit], b.byRow[credit]
		b.change(m.debit, debitsPending, -m.amount)
		b.change(m.debit, debitsPosted, m.amount)
		b.change(m.credit, creditsPending, -m.amount)
		b.change(m.credit, creditsPosted, m.amount)
		return m, nil
	}
	m = goMovement{b.accounts[t.DebitAccountID], b.accounts[t.CreditAccountID], int64(t.Amount.Lo)}
	if m.debit == nil || m.credit == nil {
		return m, errRefused
	}
	d := &m.debit.balances
	if m.debit.limited && d[debitsPending]+d[debitsPosted]+m.amount > d[creditsPosted] {
		return m, errRefused
	}
	b.change(m.debit, debitsPending, m.amount)
	b.change(m.credit, creditsPending, m.amount)
	return m, nil
}

func (b *goBooks) writeRows(t *ledger.Transfer, m goMovement) error {
	post := t.Flags.Has(ledger.TransferPostPending)
	var pending []byte
	if post {
		pending = keyOf(t.PendingID)
	}
	_, err := b.insert.ExecContext(b.ctx, keyOf(t.ID), m.debit.row, m.credit.row, m.amount, pending, keyOf(ledger.ID(t.UserData128)),
		int64(t.UserData64), t.UserData32, t.Timeout, t.Ledger, t.Code, uint16(t.Flags), int64(t.Timestamp), !post)
	if err != nil || !post {
		return err
	}
	_, err = b.takeHold.ExecContext(b.ctx, pending)
	return err
}

func (b *goBooks) read(id ledger.ID) (s balances, err error) {
	row := b.conn.QueryRowContext(b.ctx,
		"SELECT debits_pending, credits_pending, debits_posted, credits_posted FROM accounts WHERE id = ?", keyOf(id))
	return s, row.Scan(&s[0], &s[1], &s[2], &s[3])
}

func (b *goBooks) count() (transfers, holds int64, err error) {
	row := b.conn.QueryRowContext(b.ctx, "SELECT (SELECT count(*) FROM transfers), (SELECT count(*) FROM transfers WHERE held = 1)")
	return transfers, holds, row.Scan(&transfers, &holds)
}

func (b *goBooks) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{b.begin, b.commit, b.insert, b.findHold, b.takeHold, b.update} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(append(errs, b.conn.Close(), b.db.Close())...)
}
