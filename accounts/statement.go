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

// ErrStatement is returned when the entries of a statement do not add up to its closing balance: a
// foreign program books on the account in a way unknown to this package. No number of the
// statement can be trusted.
var ErrStatement = errors.New("accounts: statement does not add up")

// StatementBalance is the state of an account at the beginning or the end of a [Statement].
type StatementBalance struct {
	Position   *big.Int      // in units: above 0 we owe the peer; in our own account: above 0 we have money
	CreditLine ledger.Amount // in units; 0 in our own account
	Arrears    ledger.Amount // in units, as in [Balance]: a part of the peer's debt
}

// Statement is an account's statement over a time: see [Book.Statement]. It is immutable, and its
// methods may be called concurrently.
type Statement struct {
	Account  PeerAccount
	Asset    Asset
	From, To time.Time // as given; zero: open

	Opening, Closing StatementBalance

	book         *Book
	ids          PeerIDs
	accountKinds map[ledger.ID]string // of all accounts except different peers'
	peerNames    map[ledger.ID]string // of different peers
	keysByHash   map[ledger.ID]string // by their hash in the ledger
	pageSize     int
	withHolds    bool
	journals     []string // folders
	first        uint64   // time of the first row, inclusive
	last         uint64   // time of the last row; 0 without rows
}

// StatementOption is an option of [Book.Statement].
type StatementOption func(*Statement)

// WithPageSize sets how many rows a request reads: 1 to [ledger.QueryMax], cut to this range. A
// page too large for the ledger ([ledger.ErrTooMuchData]) is halved. One page of the peer's
// account, and one of its arrears, are in memory at once. Default [ledger.QueryMax].
func WithPageSize(rows int) StatementOption {
	return func(s *Statement) { s.pageSize = max(1, min(rows, ledger.QueryMax)) }
}

// WithKnownAccounts names the peers of these handles in [Entry.Counterparty]. The ledger itself
// has no names. Default none.
func WithKnownAccounts(handles ...PeerAccount) StatementOption {
	return func(s *Statement) {
		for _, a := range handles {
			s.peerNames[a.id] = a.peer
			s.peerNames[s.book.PeerIDs(a).Arrears] = a.peer
		}
	}
}

// WithKnownKeys gives the caller's keys of payments, adjustments and capital, for [Entry.Key].
// The ledger has only a hash of each key. Default none.
func WithKnownKeys(keys ...string) StatementOption {
	return func(s *Statement) {
		for _, key := range keys {
			for _, account := range []ledger.ID{s.Account.id, s.ids.Settlement, s.ids.Arrears} {
				s.keysByHash[ledger.ID(s.book.keyTag(account, key))] = key
			}
		}
	}
}

// WithHolds also lists every hold of a packet or an order, as an entry of kind [EntryHold] that
// moves nothing. [Compare] then distinguishes a late fulfill from a missing packet. By default
// holds are left out.
func WithHolds() StatementOption { return func(s *Statement) { s.withHolds = true } }

// Statement reads the movements between us and a peer, or in our own liquidity
// ([Book.OwnAccount]), at or after from and before to, by the ledger's clock; a zero time is
// open. Bookings on the peer's arrears are included. Collections of arrears are not: they move
// nothing between us and the peer.
//
// The statement ends with the newest row of the ledger at the time of the call. So it is of one
// moment, however long reading takes and whatever is written meanwhile. The balances come from
// the ledger's history of the account. Without history ([Config.NoHistory], and our own account)
// they are summed up from the account's first row like the entries, so they do not check the
// entries.
//
// Errors: [ErrInvalid], naming the field; [ErrNotProvisioned], also for a handle of a different
// namespace; [ErrUnknownAsset]; or the error of a request.
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
		entry.ids.Suspense: "suspense", entry.ids.Outside: "outside", entry.ids.Control: "control", entry.ids.Transit: "transit",
		s.ids.Line: "line", s.ids.Settlement: "settlement", s.ids.Arrears: "arrears",
	}
	ours := entry.ids.Liquidity
	if !account.IsOwn() {
		ours = b.peerHandle(PeerConfig{ID: account.peer, Asset: entry.asset}).id
	}
	if account.id != ours { // a handle of a different namespace, whose line this Book does not know
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

// Entries returns the movements, oldest first. It reads a page at a time as the caller iterates,
// and may be iterated any number of times.
//
// If an error ends it, the last pair has the error, of a request, of a journal, or [ErrStatement], and
// the entries before it are not the whole statement.
func (s *Statement) Entries(ctx context.Context) iter.Seq2[Entry, error] {
	if len(s.journals) > 0 && !s.Account.IsOwn() {
		return s.expandRounds(ctx, s.readEntries(ctx))
	}
	return s.readEntries(ctx)
}

// readEntries returns the movements as the ledger has them.
func (s *Statement) readEntries(ctx context.Context) iter.Seq2[Entry, error] {
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
			yield(Entry{}, fmt.Errorf("%w: the statement of %v ends with %s, and the account with %s",
				ErrStatement, s.Account, s.Asset.describeBalance(balance), s.Asset.describeBalance(s.Closing)))
		}
	}
}

func (s *Statement) isShown(row *statementRow, e *Entry) bool {
	return row.Code != chart.CodeCollection && row.Code != chart.CodeProbe && !s.isReservation(row) && (s.withHolds || e.Kind != EntryHold)
}
