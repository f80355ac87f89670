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

	book    *Book
	ids     PeerIDs
	kinds   map[ledger.ID]string // of accounts that are no other peer's
	names   map[ledger.ID]string // of other peers
	keys    map[ledger.ID]string // by what the ledger keeps of them
	page    int
	holds   bool
	first   uint64 // timestamps of the rows, inclusive
	through uint64 // 0: there are none
}

// StatementOption says how a statement is read.
type StatementOption func(*Statement)

// WithPageSize is how many rows are read in a request: 1 to ledger.QueryMax, which is the
// default. What is outside is cut to it. A page that is too large for the ledger
// (ledger.ErrTooMuchData) is halved. One page of the peer's account, and one of its
// arrears, are in memory at once.
func WithPageSize(rows int) StatementOption {
	return func(s *Statement) { s.page = max(1, min(rows, ledger.QueryMax)) }
}

// WithKnownAccounts names other peers, whose handles these are, in Entry.Counterparty. The ledger
// itself knows no names.
func WithKnownAccounts(handles ...PeerAccount) StatementOption {
	return func(s *Statement) {
		for _, a := range handles {
			s.names[a.id] = a.peer
			s.names[s.book.PeerIDs(a).Arrears] = a.peer
		}
	}
}

// WithKnownKeys names the keys of payments, adjustments and capital that the caller knows, in
// Entry.Key. The ledger keeps a hash of each, and nobody can tell a key from it.
func WithKnownKeys(keys ...string) StatementOption {
	return func(s *Statement) {
		for _, key := range keys {
			for _, account := range []ledger.ID{s.Account.id, s.ids.Settlement, s.ids.Arrears} {
				s.keys[ledger.ID(s.book.keyTag(account, key))] = key
			}
		}
	}
}

// WithHolds also lists what was held: every packet that was prepared and every order, as
// entries of kind EntryHold that move nothing. Compare then tells a fulfill that came
// too late from a packet that was never there.
func WithHolds() StatementOption { return func(s *Statement) { s.holds = true } }

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
		names: make(map[ledger.ID]string), keys: make(map[ledger.ID]string), page: ledger.QueryMax, first: timestampOf(from),
	}
	s.kinds = map[ledger.ID]string{
		entry.ids.Liquidity: "liquidity", entry.ids.Revenue: "revenue", entry.ids.Dust: "dust",
		entry.ids.Suspense: "suspense", entry.ids.Outside: "outside", entry.ids.Control: "control",
		s.ids.Line: "line", s.ids.Settlement: "settlement", s.ids.Arrears: "arrears",
	}
	ours := entry.ids.Liquidity
	if !account.IsOwn() {
		ours = b.handle(PeerConfig{ID: account.peer, Asset: entry.asset}).id
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
	if err := s.open(ctx, last); err != nil {
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

// open fixes where the statement ends, and reads its balances.
func (s *Statement) open(ctx context.Context, last uint64) error {
	byID, err := s.book.lookupIDs(ctx, []ledger.ID{s.Account.id}, 1)
	if err != nil {
		return err
	}
	account, found := byID[s.Account.id]
	if !found {
		return ErrNotProvisioned
	}
	newest, err := s.newest(ctx, last)
	if err != nil {
		return err
	}
	if s.through = newest; s.through < s.first {
		s.through = 0
	}
	history := account.Flags.Has(ledger.AccountHistory)
	// Behind the newest row others may be writing, and the balances are several requests.
	if s.Opening, err = s.standing(ctx, history, min(s.first-1, newest)); err != nil {
		return err
	}
	s.Closing = s.Opening
	switch {
	case s.through == 0:
	case history:
		s.Closing, err = s.standing(ctx, history, s.through)
	default:
		var moved *big.Int
		if moved, err = s.sum(ctx, s.first, s.through); err == nil {
			s.Closing, err = s.limits(ctx, s.through)
			s.Closing.Position = moved.Add(moved, s.Opening.Position)
		}
	}
	return err
}

// newest is the moment of the newest row up to a moment, 0 if there is none. The ledger
// writes no row before one that can be read, so nothing up to it changes any more, on
// either account.
func (s *Statement) newest(ctx context.Context, last uint64) (at uint64, err error) {
	if last == 0 { // it would be open
		return 0, nil
	}
	for _, id := range s.accounts() {
		row, _, err := sequence.Newest(ctx, s.book.ledger, filterOf(id, 1, last, 1))
		if err != nil {
			return 0, err
		}
		at = max(at, row.Timestamp)
	}
	return at, nil
}

// standing is what the account stood at right after a moment.
func (s *Statement) standing(ctx context.Context, history bool, at uint64) (StatementBalance, error) {
	st, err := s.limits(ctx, at)
	if err != nil {
		return st, err
	}
	if !history {
		st.Position, err = s.sum(ctx, 1, at)
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

// limits are the credit line and the arrears right after a moment; their accounts always
// have a history.
func (s *Statement) limits(ctx context.Context, at uint64) (st StatementBalance, err error) {
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

// sum adds up what moved in a time.
func (s *Statement) sum(ctx context.Context, first, last uint64) (*big.Int, error) {
	total := new(big.Int)
	for row, err := range s.rows(ctx, first, last) {
		if err != nil {
			return nil, err
		}
		total.Add(total, s.change(&row))
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
		now := s.Opening
		for row, err := range s.rows(ctx, s.first, s.through) {
			if err != nil {
				yield(Entry{}, fmt.Errorf("statement of %v: %w", s.Account, err))
				return
			}
			e := s.entry(&row)
			now = s.after(now, &row)
			e.Position, e.CreditLine, e.Arrears = now.Position, now.CreditLine, now.Arrears
			if s.shows(&row, &e) && !yield(e, nil) {
				return
			}
		}
		if !now.equal(s.Closing) {
			yield(Entry{}, fmt.Errorf("%w: that of %v ends with %s, and the account with %s",
				ErrStatement, s.Account, s.Asset.sayStanding(now), s.Asset.sayStanding(s.Closing)))
		}
	}
}

func (s *Statement) shows(row *statementRow, e *Entry) bool {
	return row.Code != chart.CodeCollection && row.Code != chart.CodeProbe && (s.holds || e.Kind != EntryHold)
}

// sayStanding writes a standing in whole units, for errors.
func (a Asset) sayStanding(st StatementBalance) string {
	return fmt.Sprintf("%s %s, a line of %s and arrears of %s", a.signed(st.Position), a.Code, a.Text(st.CreditLine), a.Text(st.Arrears))
}

func (st StatementBalance) equal(other StatementBalance) bool {
	return st.Position.Cmp(other.Position) == 0 && st.CreditLine == other.CreditLine && st.Arrears == other.Arrears
}

// after is what the account stands at after a transfer.
func (s *Statement) after(now StatementBalance, row *statementRow) StatementBalance {
	now.Position = new(big.Int).Add(now.Position, s.change(row))
	if row.Flags.Has(ledger.TransferPending) || s.Account.IsOwn() {
		return now
	}
	now.CreditLine = moved(now.CreditLine, row, s.ids.Line)
	now.Arrears = moved(now.Arrears, row, s.ids.Arrears)
	return now
}

// moved is what the credit line, or the arrears, are after a transfer: the debits of their
// account.
func moved(before ledger.Amount, row *statementRow, id ledger.ID) ledger.Amount {
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
