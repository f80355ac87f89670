package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
)

const (
	// notInJournal is the operator of a change in the ledger that no act made.
	notInJournal = "not in the journal"
	// clockTolerance is how much the clocks of the ledger and of an act's machine may differ.
	clockTolerance = 10 * time.Second
	// endlessAct is how long an act without an end may have been at work.
	endlessAct = time.Minute
	// maxChanges bounds the changes of one kind in one asset that are read.
	maxChanges = 1000
)

// changeCodes are the codes of the transfers that change the books by hand.
var changeCodes = []uint16{chart.CodeGrant, chart.CodeSuspend, chart.CodeClose, chart.CodeAdjust, chart.CodeFund}

// addUnjournaled adds to acts the changes in the ledger that no act of the journal made, within the times of the filter.
func (s *session) addUnjournaled(ctx context.Context, path string, filter operatorlog.Filter, entries []operatorlog.Entry, now time.Time) ([]operatorlog.Entry, error) {
	around := operatorlog.Filter{From: filter.From, Limit: maxAuditActs}
	if !filter.From.IsZero() { // an act that began before may have changed something since
		around.From = filter.From.Add(-time.Hour)
	}
	acts, err := s.readJournal(ctx, path, around)
	if err != nil {
		return nil, err
	}
	first, last := filter.From, filter.To
	if len(acts) == maxAuditActs && acts[len(acts)-1].Time.After(first) { // earlier acts are not read
		first = acts[len(acts)-1].Time
	}
	if last.IsZero() {
		last = now.Add(clockTolerance)
	}
	if !first.Before(last) {
		return entries, nil
	}
	changes, err := s.readChanges(ctx, first, last)
	if err != nil {
		return nil, err
	}
	known := newActIndex(acts)
	for _, c := range changes {
		if filter.Selects(&c) && !known.hasChange(&c) {
			entries = append(entries, c)
		}
	}
	sortByTime(entries)
	return entries, nil
}

// actIndex finds the act of a change.
type actIndex struct {
	transfers map[string]bool
	byPeer    map[string][]*operatorlog.Entry // "" has the acts of no peer
}

func newActIndex(acts []operatorlog.Entry) actIndex {
	x := actIndex{transfers: map[string]bool{}, byPeer: map[string][]*operatorlog.Entry{}}
	for i := range acts {
		e := &acts[i]
		if e.Outcome == operatorlog.Refused {
			continue
		}
		if e.Transfer != "" {
			x.transfers[e.Transfer] = true
		}
		x.byPeer[e.Peer] = append(x.byPeer[e.Peer], e)
	}
	return x
}

// hasChange reports whether an act names the transfer of a change, or was at work on its peer at its time, or on our own account. An
// act that provisions may have changed the line of each peer.
func (x actIndex) hasChange(c *operatorlog.Entry) bool {
	if x.transfers[c.Transfer] {
		return true
	}
	for _, e := range x.byPeer[c.Peer] {
		if e.Asset == c.Asset && wasAtWork(e, c.Time) {
			return true
		}
	}
	for _, e := range x.byPeer[""] {
		if strings.HasPrefix(e.Action, "provision ") && wasAtWork(e, c.Time) {
			return true
		}
	}
	return false
}

// wasAtWork reports whether an act was at work at a time of the ledger's clock.
func wasAtWork(e *operatorlog.Entry, at time.Time) bool {
	end := e.EndedAt
	if end.IsZero() {
		end = e.Time.Add(endlessAct)
	}
	return !at.Before(e.Time.Add(-clockTolerance)) && !at.After(end.Add(clockTolerance))
}

// readChanges reads the newest changes by hand of the configured peers and of ourselves, from first on and before last.
func (s *session) readChanges(ctx context.Context, first, last time.Time) ([]operatorlog.Entry, error) {
	names, err := s.nameChangedAccounts()
	if err != nil {
		return nil, err
	}
	var changes []operatorlog.Entry
	others := 0
	for _, asset := range s.book.Assets() {
		for _, code := range changeCodes {
			query := ledger.QueryFilter{
				Ledger: asset.Ledger, Code: code, TimestampMin: timestampOf(first), TimestampMax: max(1, timestampOf(last)-1), Limit: maxChanges, Flags: ledger.QueryFilterReversed,
			}
			rows, err := batch.Page(&query.Limit, func() ([]ledger.Transfer, error) { return s.ledger.QueryTransfers(ctx, query) })
			if err != nil {
				return nil, err
			}
			if len(rows) == int(query.Limit) {
				fmt.Fprintf(s.stderr, "peerledger: warning: only the newest %d changes of code %d in %v were read: give --from and --to\n", len(rows), code, asset)
			}
			for i := range rows {
				c, kind := s.describeRow(asset, &rows[i], names)
				switch kind {
				case rowOfOurs:
					changes = append(changes, c)
				case rowOfOthers:
					others++
				case rowNoChange:
				}
			}
		}
	}
	if others > 0 {
		fmt.Fprintf(s.stderr, "peerledger: %s in the ledger left out: of peers that the configuration does not list, or of other namespaces\n", formatCount(others, "change"))
	}
	return changes, nil
}

// timestampOf returns a time by the ledger's clock; the zero time is its beginning.
func timestampOf(t time.Time) uint64 {
	if t.Year() < 1970 {
		return 1
	}
	return uint64(max(1, t.UnixNano()))
}

// nameChangedAccounts returns the peers of the accounts of configured peers, and "" for our own account that capital moves.
func (s *session) nameChangedAccounts() (map[ledger.ID]string, error) {
	list, err := s.configuredAccounts()
	if err != nil {
		return nil, err
	}
	names := map[ledger.ID]string{}
	for _, account := range list {
		ids := s.book.PeerIDs(account)
		for _, id := range []ledger.ID{ids.Peer, ids.Line, ids.Arrears} {
			names[id] = account.Peer()
		}
	}
	for _, asset := range s.book.Assets() {
		if ids, ok := s.book.AssetIDs(asset.Ledger); ok {
			names[ids.Liquidity] = ""
		}
	}
	return names, nil
}

// rowKind tells what a row of a change is.
type rowKind int

const (
	rowNoChange rowKind = iota // a hold before a booking
	rowOfOurs
	rowOfOthers // of a peer that is not configured, or of another namespace
)

// describeRow returns a row of one of changeCodes as an entry.
func (s *session) describeRow(asset accounts.Asset, row *ledger.Transfer, names map[ledger.ID]string) (operatorlog.Entry, rowKind) {
	c := operatorlog.Entry{
		Time: time.Unix(0, int64(row.Timestamp)).UTC(), Who: notInJournal, Asset: asset.String(), Amount: asset.Format(row.Amount),
		Reason: row.UserData32, ReasonName: s.cfg.nameReason(row.UserData32), Outcome: operatorlog.Written, Transfer: row.ID.String(),
	}
	pending := row.Flags.Has(ledger.TransferPending)
	peer, debited := names[row.DebitAccountID]
	if !debited {
		var credited bool
		if peer, credited = names[row.CreditAccountID]; !credited {
			return c, rowOfOthers
		}
	}
	c.Peer = peer
	choose := func(first bool, yes, no string) string {
		if first {
			return yes
		}
		return no
	}
	switch row.Code {
	case chart.CodeSuspend:
		c.Action = choose(pending, "suspend", "resume")
	case chart.CodeClose:
		c.Action = choose(pending, "close", "reopen")
	case chart.CodeGrant: // from the line account to the peer account, or back
		account, err := s.book.PeerAccount(peer, asset)
		c.Action = choose(err == nil && row.DebitAccountID == s.book.PeerIDs(account).Line, "raise the credit line", "lower the credit line")
	case chart.CodeFund:
		c.Action = choose(debited, "withdraw from our liquidity", "fund our liquidity")
	default:
		c.Action = choose(debited, "book a debit by hand", "book a credit by hand")
	}
	switch isClosing := row.Code == chart.CodeSuspend || row.Code == chart.CodeClose; {
	case isClosing:
		if c.Amount = ""; !pending { // its end repeats the reason
			c.Reason, c.ReasonName = 0, ""
		}
	case pending:
		return c, rowNoChange
	}
	return c, rowOfOurs
}
