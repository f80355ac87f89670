package settlement

import (
	"context"
	"errors"
	"slices"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Released is what was given back to a peer out of suspense.
type Released struct {
	Payments []PaymentBooking // one for each row that is booked now, in the order of the rows that waited
	Amount   ledger.Amount    // units: their sum
}

// Release gives back to a peer what came for it while its account was closed, and waits in
// suspense: its payments, which count as paid in then, and what late packets earned it. The
// account must be open again (accounts.Book.ReopenPeer). It may be repeated, from any process,
// and books each row once; what came back meanwhile (RecordReturned) is left out.
//
// It reads all payments of the peer, and all late packets of the asset that wait in suspense.
// Errors are *OrderErrors: accounts.ErrPeerClosed, accounts.ErrNotProvisioned,
// accounts.ErrUnknownAsset, accounts.ErrInvalid, or the error of a request; what Released has is
// booked all the same. ErrEngineClosed after Close.
func (e *Engine) Release(ctx context.Context, account accounts.PeerAccount) (Released, error) {
	if !e.acquireCall() {
		return Released{}, ErrEngineClosed
	}
	defer e.wg.Done()
	released, err := e.releasePeer(ctx, account)
	if err != nil {
		err = &OrderError{Account: account, Err: err}
	}
	if len(released.Payments) > 0 {
		e.Enqueue([]accounts.PeerAccount{account})
	}
	return released, err
}

func (e *Engine) releasePeer(ctx context.Context, a accounts.PeerAccount) (released Released, err error) {
	if err := e.checkPeer("release", a); err != nil {
		return Released{}, err
	}
	b, err := e.book.LookUpBalances(ctx, a)
	switch {
	case err != nil:
		return Released{}, err
	case b[0].Closed:
		return Released{}, accounts.ErrPeerClosed
	}
	waitingRows, err := e.readWaitingRows(ctx, a)
	if err != nil {
		return Released{}, err
	}
	for _, row := range waitingRows {
		booked, err := e.releaseRow(ctx, a, row)
		switch {
		case errors.Is(err, accounts.ErrKeyReused): // it came back while it was in suspense
			continue
		case err != nil:
			return released, err
		case booked.AlreadyBooked:
			continue
		}
		released.Payments = append(released.Payments, booked)
		released.Amount, _ = released.Amount.Add(booked.Amount) // a part of what suspense was credited
	}
	return released, nil
}

// releaseRow gives one row back. What packets earned stays so; anything else is a credit.
func (e *Engine) releaseRow(ctx context.Context, a accounts.PeerAccount, waitingRow ledger.Transfer) (PaymentBooking, error) {
	assetIDs, _ := e.book.AssetIDs(a.Ledger())
	row := ledger.Transfer{
		DebitAccountID: assetIDs.Suspense, CreditAccountID: e.book.PeerIDs(a).Peer, Amount: waitingRow.Amount,
		UserData128: uint128.Uint128(waitingRow.ID), Ledger: a.Ledger(), Code: chart.CodeAdjust,
	}
	if waitingRow.Code == chart.CodeCorrection {
		row.Code, row.UserData128, row.UserData64 = chart.CodeCorrection, waitingRow.UserData128, waitingRow.UserData64
	}
	return e.bookCredit(ctx, row, creditRequest{idOf: func(attempt uint64) ledger.ID { return e.releaseID(waitingRow.ID, attempt) }})
}

// releaseID is the id under which a row that waits in suspense leaves it, for good: to the
// peer, or back to where it came from.
func (e *Engine) releaseID(waitingID ledger.ID, attempt uint64) ledger.ID {
	return e.ns.Derive("release", chart.ID(waitingID), chart.U64(attempt))
}

// readWaitingRows are the rows in suspense that are about a peer, whether or not they have left it.
func (e *Engine) readWaitingRows(ctx context.Context, a accounts.PeerAccount) ([]ledger.Transfer, error) {
	ids := e.book.PeerIDs(a)
	assetIDs, _ := e.book.AssetIDs(a.Ledger())
	var waiting []ledger.Transfer
	for _, code := range []uint16{chart.CodeIncoming, chart.CodeVoucher} {
		rows, err := e.readAllRows(ctx, ledger.AccountFilter{AccountID: ids.Settlement, Code: code, Flags: ledger.AccountFilterDebits})
		if err != nil {
			return nil, wrap("read what waits in suspense", err)
		}
		waiting = append(waiting, slices.DeleteFunc(rows, func(row ledger.Transfer) bool {
			return row.CreditAccountID != assetIDs.Suspense
		})...)
	}
	late, err := e.readAllRows(ctx, ledger.AccountFilter{AccountID: assetIDs.Suspense, Code: chart.CodeCorrection, Flags: ledger.AccountFilterCredits})
	if err != nil {
		return nil, wrap("read what waits in suspense", err)
	}
	return e.appendLatePackets(ctx, waiting, late, ids.Peer)
}

// appendLatePackets appends the late packets that a peer earned while its account was closed. The
// hold of such a packet, whose leg has the same number, names the account that was to get it.
func (e *Engine) appendLatePackets(ctx context.Context, waiting, late []ledger.Transfer, peer ledger.ID) ([]ledger.Transfer, error) {
	var holds []ledger.ID
	byHold := make(map[ledger.ID]ledger.Transfer)
	for _, row := range late {
		if hold, isLate := chart.HoldOfLate(&row); isLate {
			holds = append(holds, hold)
			byHold[hold] = row
		}
	}
	found, err := batch.Each(ctx, holds, 1, e.ledger.LookupTransfers)
	if err != nil {
		return nil, wrap("look up whose late packets are in suspense", err)
	}
	for _, hold := range found {
		if hold.CreditAccountID == peer {
			waiting = append(waiting, byHold[hold.ID])
		}
	}
	return waiting, nil
}

// readPage reads a page of rows, of as many as the ledger's answer has room for.
func (e *Engine) readPage(ctx context.Context, filter *ledger.AccountFilter) ([]ledger.Transfer, error) {
	return batch.Page(&filter.Limit, func() ([]ledger.Transfer, error) { return e.ledger.GetAccountTransfers(ctx, *filter) })
}

// readAllRows reads all rows that a filter selects.
func (e *Engine) readAllRows(ctx context.Context, filter ledger.AccountFilter) (all []ledger.Transfer, err error) {
	filter.Limit = ledger.QueryMax
	for {
		rows, err := e.readPage(ctx, &filter)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(rows) < int(filter.Limit) {
			return all, nil
		}
		filter.TimestampMin = rows[len(rows)-1].Timestamp + 1
	}
}
