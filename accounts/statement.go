package accounts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
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
