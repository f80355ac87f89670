package accounts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// ErrStatement says that the entries of a statement do not add up to its closing
// balance: somebody books on the account's history in a way that this package does not
// know. None of the numbers can be trusted.
var ErrStatement = errors.New("accounts: statement does not add up")

// StatementBalance is what an account stands at.
type StatementBalance struct {
	Position   *big.Int      // in units: above 0 we owe the peer; of our own account: we have
	CreditLine ledger.Amount // in units; 0 of our own account
	Arrears    ledger.Amount // in units, as in Balance: a part of what the peer owes us
}

// Statement is what happened on an account in a time: see Book.Statement. It does not
// change; its methods may be called concurrently.
type Statement struct {
	Account  PeerAccount
	Asset    Asset
	From, To time.Time // as asked for; zero: open

	Opening, Closing StatementBalance

	book         *Book
	ids          PeerIDs
	accountKinds map[ledger.ID]string // of accounts that are no other peer's
	peerNames    map[ledger.ID]string // of other peers
	keysByHash   map[ledger.ID]string // by what the ledger keeps of them
	pageSize     int
	withHolds    bool
	first        uint64 // timestamps of the rows, inclusive
	last         uint64 // 0: there are none
}

// StatementOption says how a statement is read.
type StatementOption func(*Statement)

// WithPageSize is how many rows are read in a request: 1 to ledger.QueryMax, which is the
// default. What is outside is cut to it. A page that is too large for the ledger
// (ledger.ErrTooMuchData) is halved. One page of the peer's account, and one of its
// arrears, are in memory at once.
func WithPageSize(rows int) StatementOption {
	return func(s *Statement) { s.pageSize = max(1, min(rows, ledger.QueryMax)) }
}

// WithKnownAccounts names other peers, whose handles these are, in Entry.Counterparty. The ledger
// itself knows no names.
func WithKnownAccounts(handles ...PeerAccount) StatementOption {
	return func(s *Statement) {
		for _, a := range handles {
			s.peerNames[a.id] = a.peer
			s.peerNames[s.book.PeerIDs(a).Arrears] = a.peer
		}
	}
}

// WithKnownKeys names the keys of payments, adjustments and capital that the caller knows, in
// Entry.Key. The ledger keeps a hash of each, and nobody can tell a key from it.
func WithKnownKeys(keys ...string) StatementOption {
	return func(s *Statement) {
		for _, key := range keys {
			for _, account := range []ledger.ID{s.Account.id, s.ids.Settlement, s.ids.Arrears} {
				s.keysByHash[ledger.ID(s.book.keyTag(account, key))] = key
			}
		}
	}
}

// WithHolds also lists what was held: every packet that was prepared and every order, as
// entries of kind EntryHold that move nothing. Compare then tells a fulfill that came
// too late from a packet that was never there.
func WithHolds() StatementOption { return func(s *Statement) { s.withHolds = true } }

// Statement is what moved between us and a peer, or in our own liquidity (Book.OwnAccount),
// from a moment on and before another one, by the ledger's clock; zero times are open.
// What was booked on the peer's arrears is part of it. That arrears were collected is not:
// it moves nothing between us and the peer.
//
// It ends with what is in the ledger when it is asked for, so it is one of a moment
// however long reading it takes and whoever writes meanwhile. The balances come from the
// ledger's history of the account; where there is none (Config.NoHistory, our own
// account) they are added up from the account's beginning, as the entries are, so that
// nothing checks them against each other.
//
// Errors: ErrInvalid names the field; ErrNotProvisioned (also for a handle of another
// namespace), ErrUnknownAsset, or that of a request.
func (b *Book) Statement(ctx context.Context, account PeerAccount, from, to time.Time, opts ...StatementOption) (*Statement, error) {
	entry, known := b.assets[account.ledger]
	if !known {
		return nil, wrapAccount(account, ErrUnknownAsset)
	}
	s := &Statement{
		Account: account, Asset: entry.asset, From: from, To: to, book: b, ids: b.PeerIDs(account),
		peerNames: make(map[ledger.ID]string), keysByHash: make(map[ledger.ID]string), pageSize: ledger.QueryMax, first: timestampOf(from),
	}
	s.accountKinds = map[ledger.ID]string{
		entry.ids.Liquidity: "liquidity", entry.ids.Revenue: "revenue", entry.ids.Dust: "dust",
		entry.ids.Suspense: "suspense", entry.ids.Outside: "outside", entry.ids.Control: "control",
		s.ids.Line: "line", s.ids.Settlement: "settlement", s.ids.Arrears: "arrears",
	}
	ours := entry.ids.Liquidity
	if !account.IsOwn() {
		ours = b.peerHandle(PeerConfig{ID: account.peer, Asset: entry.asset}).id
	}
	if account.id != ours { // another namespace's, whose line this Book does not know
		return nil, wrapAccount(account, ErrNotProvisioned)
	}
	for _, opt := range opts {
		opt(s)
	}
	last := ledger.TimestampMax
	if !to.IsZero() {
		if !from.Before(to) {
			return nil, &FieldError{Subject: "statement of " + account.String(), Field: "To", Reason: "must be after From"}
		}
		last = timestampOf(to) - 1
	}
	if err := s.readBalances(ctx, last); err != nil {
		return nil, fmt.Errorf("statement of %v: %w", account, err)
	}
	return s, nil
}

// timestampOf is a time by the ledger's clock; the zero time and all before the clock
// begins are its first moment.
func timestampOf(t time.Time) uint64 {
	switch year := t.Year(); {
	case year < 1970:
		return 1
	case year > 2261:
		return ledger.TimestampMax
	default:
		return uint64(max(1, t.UnixNano()))
	}
}

// readBalances fixes where the statement ends, and reads its balances.
func (s *Statement) readBalances(ctx context.Context, last uint64) error {
	byID, err := s.book.lookupIDs(ctx, []ledger.ID{s.Account.id}, 1)
	if err != nil {
		return err
	}
	account, found := byID[s.Account.id]
	if !found {
		return ErrNotProvisioned
	}
	newest, err := s.newestRow(ctx, last)
	if err != nil {
		return err
	}
	if s.last = newest; s.last < s.first {
		s.last = 0
	}
	history := account.Flags.Has(ledger.AccountHistory)
	// Behind the newest row others may be writing, and the balances are several requests.
	if s.Opening, err = s.balanceAfter(ctx, history, min(s.first-1, newest)); err != nil {
		return err
	}
	s.Closing = s.Opening
	switch {
	case s.last == 0:
	case history:
		s.Closing, err = s.balanceAfter(ctx, history, s.last)
	default:
		var moved *big.Int
		if moved, err = s.sumMovements(ctx, s.first, s.last); err == nil {
			s.Closing, err = s.lineAndArrearsAfter(ctx, s.last)
			s.Closing.Position = moved.Add(moved, s.Opening.Position)
		}
	}
	return err
}

// newestRow is the moment of the newest row up to a moment, 0 if there is none. The ledger
// writes no row before one that can be read, so nothing up to it changes any more, on
// either account.
func (s *Statement) newestRow(ctx context.Context, last uint64) (at uint64, err error) {
	if last == 0 { // it would be open
		return 0, nil
	}
	for _, id := range s.accountIDs() {
		row, _, err := sequence.Newest(ctx, s.book.ledger, filterOf(id, 1, last, 1))
		if err != nil {
			return 0, err
		}
		at = max(at, row.Timestamp)
	}
	return at, nil
}

// balanceAfter is what the account stood at right after a moment.
func (s *Statement) balanceAfter(ctx context.Context, history bool, at uint64) (StatementBalance, error) {
	st, err := s.lineAndArrearsAfter(ctx, at)
	if err != nil {
		return st, err
	}
	if !history {
		st.Position, err = s.sumMovements(ctx, 1, at)
		return st, err
	}
	balance, err := s.book.balanceAt(ctx, s.Account.id, at)
	if err != nil {
		return st, err
	}
	st.Position = new(big.Int).Sub(balance.CreditsPosted.Big(), balance.DebitsPosted.Big())
	st.Position.Sub(st.Position, st.CreditLine.Big()).Sub(st.Position, st.Arrears.Big())
	return st, nil
}

// lineAndArrearsAfter are the credit line and the arrears right after a moment; their accounts always
// have a history.
func (s *Statement) lineAndArrearsAfter(ctx context.Context, at uint64) (st StatementBalance, err error) {
	if s.Account.IsOwn() {
		return st, nil
	}
	line, err := s.book.balanceAt(ctx, s.ids.Line, at)
	if err != nil {
		return st, err
	}
	arrears, err := s.book.balanceAt(ctx, s.ids.Arrears, at)
	st.CreditLine = line.DebitsPosted.SubFloor(line.CreditsPosted)
	st.Arrears = arrears.DebitsPosted.SubFloor(arrears.CreditsPosted)
	return st, err
}

// balanceAt is the newest balance in an account's history up to a moment.
func (b *Book) balanceAt(ctx context.Context, id ledger.ID, at uint64) (ledger.AccountBalance, error) {
	if at == 0 {
		return ledger.AccountBalance{}, nil
	}
	rows, err := b.ledger.GetAccountBalances(ctx, ledger.AccountFilter{
		AccountID: id, TimestampMax: at, Limit: 1,
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits | ledger.AccountFilterReversed,
	})
	if err != nil || len(rows) == 0 {
		return ledger.AccountBalance{}, err
	}
	return rows[0], nil
}

// sumMovements adds up what moved in a time.
func (s *Statement) sumMovements(ctx context.Context, first, last uint64) (*big.Int, error) {
	total := new(big.Int)
	for row, err := range s.readRows(ctx, first, last) {
		if err != nil {
			return nil, err
		}
		total.Add(total, s.positionChange(&row))
	}
	return total, nil
}

// Entries are what moved, oldest first. It reads as it goes, a page at a time, and may be
// read any number of times.
//
// If something goes wrong the last pair has the error, of a request or ErrStatement, and
// the entries before it are not the whole statement.
func (s *Statement) Entries(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		balance := s.Opening
		for row, err := range s.readRows(ctx, s.first, s.last) {
			if err != nil {
				yield(Entry{}, fmt.Errorf("statement of %v: %w", s.Account, err))
				return
			}
			e := s.newEntry(&row)
			balance = s.applyRow(balance, &row)
			e.Position, e.CreditLine, e.Arrears = balance.Position, balance.CreditLine, balance.Arrears
			if s.isShown(&row, &e) && !yield(e, nil) {
				return
			}
		}
		if !balance.equals(s.Closing) {
			yield(Entry{}, fmt.Errorf("%w: that of %v ends with %s, and the account with %s",
				ErrStatement, s.Account, s.Asset.describeBalance(balance), s.Asset.describeBalance(s.Closing)))
		}
	}
}

func (s *Statement) isShown(row *statementRow, e *Entry) bool {
	return row.Code != chart.CodeCollection && row.Code != chart.CodeProbe && (s.withHolds || e.Kind != EntryHold)
}

// describeBalance writes a standing in whole units, for errors.
func (a Asset) describeBalance(st StatementBalance) string {
	return fmt.Sprintf("%s %s, a line of %s and arrears of %s", a.formatSigned(st.Position), a.Code, a.Text(st.CreditLine), a.Text(st.Arrears))
}

func (st StatementBalance) equals(o StatementBalance) bool {
	return st.Position.Cmp(o.Position) == 0 && st.CreditLine == o.CreditLine && st.Arrears == o.Arrears
}

// applyRow is what the account stands at after a transfer.
func (s *Statement) applyRow(balance StatementBalance, row *statementRow) StatementBalance {
	balance.Position = new(big.Int).Add(balance.Position, s.positionChange(row))
	if row.Flags.Has(ledger.TransferPending) || s.Account.IsOwn() {
		return balance
	}
	balance.CreditLine = applyToDebits(balance.CreditLine, row, s.ids.Line)
	balance.Arrears = applyToDebits(balance.Arrears, row, s.ids.Arrears)
	return balance
}

// applyToDebits is what the credit line, or the arrears, are after a transfer: the debits of their
// account.
func applyToDebits(before ledger.Amount, row *statementRow, id ledger.ID) ledger.Amount {
	switch id {
	case row.DebitAccountID:
		after, _ := before.Add(row.Amount) // a sum that the ledger keeps too
		return after
	case row.CreditAccountID:
		return before.SubFloor(row.Amount)
	default:
		return before
	}
}
