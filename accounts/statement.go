package accounts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// ErrStatement says that the entries of a statement do not add up to its closing
// balance: somebody books on the account's history in a way that this package does not
// know. None of the numbers can be trusted.
var ErrStatement = errors.New("accounts: statement does not add up")

// Standing is what an account stands at.
type Standing struct {
	Position   *big.Int      // in units: above 0 we owe the peer; of our own account: we have
	CreditLine ledger.Amount // in units; 0 of our own account
}

// Statement is what happened on an account in a time: see Book.Statement. It does not
// change; its methods may be called concurrently.
type Statement struct {
	Account  Account
	Asset    Asset
	From, To time.Time // as asked for; zero: open

	Opening, Closing Standing

	book    *Book
	ids     PeerIDs
	kinds   map[ledger.ID]string // of accounts that are no other peer's
	names   map[ledger.ID]string // of other peers
	page    int
	holds   bool
	first   uint64 // timestamps of the rows, inclusive
	through uint64 // 0: there are none
}

// StatementOption says how a statement is read.
type StatementOption func(*Statement)

// PageSize is how many rows are read in a request and kept in memory at once: 1 to
// ledger.QueryMax, which is the default. What is outside is cut to it. A page that is too
// large for the ledger (ledger.ErrTooMuchData) is halved.
func PageSize(rows int) StatementOption {
	return func(s *Statement) { s.page = max(1, min(rows, ledger.QueryMax)) }
}

// Known names other peers, whose handles these are, in Entry.Counterparty. The ledger
// itself knows no names.
func Known(handles ...Account) StatementOption {
	return func(s *Statement) {
		for _, a := range handles {
			s.names[a.id] = a.peer
		}
	}
}

// WithHolds also lists what was held: every packet that was prepared and every order, as
// entries of kind EntryHold that move nothing. Compare then tells a fulfill that came
// too late from a packet that was never there.
func WithHolds() StatementOption { return func(s *Statement) { s.holds = true } }

// Statement is what moved between us and a peer, or in our own liquidity (Book.Own),
// from a moment on and before another one, by the ledger's clock; zero times are open.
//
// It ends with what is in the ledger when it is asked for, so it is one of a moment
// however long reading it takes and whoever writes meanwhile. The balances come from the
// ledger's history of the account; where there is none (Config.NoHistory, our own
// account) they are added up from the account's beginning, as the entries are, so that
// nothing checks them against each other.
//
// Errors: ErrInvalid names the field; ErrNotProvisioned (also for a handle of another
// namespace), ErrUnknownAsset, or that of a request.
func (b *Book) Statement(ctx context.Context, account Account, from, to time.Time, opts ...StatementOption) (*Statement, error) {
	entry, known := b.assets[account.ledger]
	if !known {
		return nil, wrapAccount(account, ErrUnknownAsset)
	}
	s := &Statement{
		Account: account, Asset: entry.asset, From: from, To: to, book: b, ids: b.PeerIDs(account),
		names: make(map[ledger.ID]string), page: ledger.QueryMax, first: timestampOf(from),
	}
	s.kinds = map[ledger.ID]string{
		entry.ids.Liquidity: "liquidity", entry.ids.Revenue: "revenue", entry.ids.Dust: "dust",
		entry.ids.Suspense: "suspense", entry.ids.Outside: "outside", entry.ids.Control: "control",
		s.ids.Line: "line", s.ids.Settlement: "settlement",
	}
	ours := entry.ids.Liquidity
	if !account.Own() {
		ours = b.handle(Peer{ID: account.peer, Asset: entry.asset}).id
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
	newest := ledger.Transfer{}
	if last > 0 { // 0 would be open
		newest, _, err = sequence.Newest(ctx, s.book.ledger, s.filter(1, last, 1))
	}
	if err != nil {
		return err
	}
	if s.through = newest.Timestamp; s.through < s.first {
		s.through = 0
	}
	history := account.Flags.Has(ledger.AccountHistory)
	// Behind the newest row others may be writing, and the balances are several requests.
	if s.Opening, err = s.standing(ctx, history, min(s.first-1, newest.Timestamp)); err != nil {
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
			s.Closing.Position = moved.Add(moved, s.Opening.Position)
			s.Closing.CreditLine, err = s.line(ctx, s.through)
		}
	}
	return err
}

// filter selects the rows of the account in a time.
func (s *Statement) filter(first, last uint64, limit int) ledger.AccountFilter {
	return ledger.AccountFilter{
		AccountID: s.Account.id, TimestampMin: first, TimestampMax: last, Limit: uint32(limit),
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	}
}

// standing is what the account stood at right after a moment.
func (s *Statement) standing(ctx context.Context, history bool, at uint64) (st Standing, err error) {
	if st.CreditLine, err = s.line(ctx, at); err != nil {
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
	st.Position.Sub(st.Position, st.CreditLine.Big())
	return st, nil
}

// line is the credit line right after a moment; its account always has a history.
func (s *Statement) line(ctx context.Context, at uint64) (ledger.Amount, error) {
	if s.Account.Own() {
		return ledger.Amount{}, nil
	}
	balance, err := s.book.balanceAt(ctx, s.ids.Line, at)
	return balance.DebitsPosted.SubFloor(balance.CreditsPosted), err
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
		total.Add(total, s.entry(row).Amount)
	}
	return total, nil
}

// rows reads the transfers of the account in a time, a page at a time. Voids move
// nothing and are left out.
func (s *Statement) rows(ctx context.Context, first, last uint64) iter.Seq2[*ledger.Transfer, error] {
	return func(yield func(*ledger.Transfer, error) bool) {
		size := s.page
		for first <= last {
			page, err := s.book.ledger.GetAccountTransfers(ctx, s.filter(first, last, size))
			if errors.Is(err, ledger.ErrTooMuchData) && size > 1 {
				size /= 2
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page {
				if !page[i].Flags.Has(ledger.TransferVoidPending) && !yield(&page[i], nil) {
					return
				}
			}
			if len(page) < size {
				return
			}
			first = page[len(page)-1].Timestamp + 1
		}
	}
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
			e := s.entry(row)
			now = s.after(now, row, e.Amount)
			e.Position, e.CreditLine = now.Position, now.CreditLine
			if (s.holds || e.Kind != EntryHold) && !yield(e, nil) {
				return
			}
		}
		if now.Position.Cmp(s.Closing.Position) != 0 || now.CreditLine != s.Closing.CreditLine {
			yield(Entry{}, fmt.Errorf("%w: that of %v ends with %v and a line of %v, and the account with %v and %v",
				ErrStatement, s.Account, now.Position, now.CreditLine, s.Closing.Position, s.Closing.CreditLine))
		}
	}
}

// after is what the account stands at after a transfer that changes its position so.
func (s *Statement) after(now Standing, row *ledger.Transfer, change *big.Int) Standing {
	if s.onLine(row) && !row.Flags.Has(ledger.TransferPending) {
		if row.DebitAccountID == s.ids.Line {
			now.CreditLine, _ = now.CreditLine.Add(row.Amount)
		} else {
			now.CreditLine = now.CreditLine.SubFloor(row.Amount)
		}
	}
	now.Position = new(big.Int).Add(now.Position, change)
	return now
}
