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

// Released is the money that a peer got back from suspense.
type Released struct {
	Payments []PaymentBooking // one for each row booked by this call, in the order of the rows in suspense
	Amount   ledger.Amount    // units: the sum of Payments
}

// Release gives a peer the money that arrived while its account was closed: its payments, which count as settled
// then, and its earnings of late packets and of rounds (package transfers/aggregate). The account must be open again
// ([accounts.Book.ReopenPeer]). Release may be repeated, from any process, and books each row once. Payments that came back meanwhile
// ([Engine.RecordReturned]) are left out.
//
// Release reads all payments of the peer, and all late packets and earnings of rounds of the asset in suspense. The errors are
// *[OrderError]: [accounts.ErrPeerClosed], [accounts.ErrNotProvisioned], [accounts.ErrUnknownAsset],
// [accounts.ErrInvalid], or the error of a request. With an error, [Released] still has the payments booked before.
// [ErrEngineClosed] is returned after [Engine.Close].
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
		released.Amount, _ = released.Amount.Add(booked.Amount) // no overflow: a part of suspense's credits
	}
	return released, nil
}

// releaseRow gives one row back. Earnings stay earnings; a payment is a credit. The release names the row, but for a
// late packet it names the packet.
func (e *Engine) releaseRow(ctx context.Context, a accounts.PeerAccount, waitingRow ledger.Transfer) (PaymentBooking, error) {
	assetIDs, _ := e.book.AssetIDs(a.Ledger())
	row := ledger.Transfer{
		DebitAccountID: assetIDs.Suspense, CreditAccountID: e.book.PeerIDs(a).Peer, Amount: waitingRow.Amount,
		UserData128: uint128.Uint128(waitingRow.ID), Ledger: a.Ledger(), Code: chart.CodeAdjust,
	}
	if waitingRow.Code == chart.CodeCorrection {
		row.Code, row.UserData64, row.UserData32 = chart.CodeCorrection, waitingRow.UserData64, waitingRow.UserData32
	}
	if _, isLate := chart.HoldOfLate(&waitingRow); isLate {
		row.UserData128 = waitingRow.UserData128
	}
	return e.bookCredit(ctx, row, creditRequest{idOf: func(attempt uint64) ledger.ID { return e.releaseID(waitingRow.ID, attempt) }})
}

// releaseID is the only id under which a row leaves suspense, to the peer or back to its settlement account.
func (e *Engine) releaseID(waitingID ledger.ID, attempt uint64) ledger.ID {
	return e.ns.Derive("release", chart.ID(waitingID), chart.U64(attempt))
}

// readWaitingRows reads the rows of a peer in suspense, also the rows that have left suspense since.
func (e *Engine) readWaitingRows(ctx context.Context, a accounts.PeerAccount) ([]ledger.Transfer, error) {
	ids := e.book.PeerIDs(a)
	assetIDs, _ := e.book.AssetIDs(a.Ledger())
	var waiting []ledger.Transfer
	for _, code := range []uint16{chart.CodeIncoming, chart.CodeVoucher} {
		rows, err := e.readAllRows(ctx, ledger.AccountFilter{AccountID: ids.Settlement, Code: code, Flags: ledger.AccountFilterDebits})
		if err != nil {
			return nil, wrap("read the rows in suspense", err)
		}
		waiting = append(waiting, slices.DeleteFunc(rows, func(row ledger.Transfer) bool {
			return row.CreditAccountID != assetIDs.Suspense
		})...)
	}
	earned, err := e.readAllRows(ctx, ledger.AccountFilter{AccountID: assetIDs.Suspense, Code: chart.CodeCorrection, Flags: ledger.AccountFilterCredits})
	if err != nil {
		return nil, wrap("read the rows in suspense", err)
	}
	var late []ledger.Transfer
	for i := range earned {
		switch receiver, ofRound := chart.ReceiverOfRound(&earned[i], assetIDs.Transit); {
		case ofRound && receiver == ids.Peer:
			waiting = append(waiting, earned[i])
		case !ofRound:
			late = append(late, earned[i])
		}
	}
	return e.appendLatePackets(ctx, waiting, late, ids.Peer)
}

// appendLatePackets appends the late packets that a peer earned while its account was closed. The hold of such a
// packet, under the same leg number, names the receiving account.
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
		return nil, wrap("look up the holds of late packets in suspense", err)
	}
	for _, hold := range found {
		if hold.CreditAccountID == peer {
			waiting = append(waiting, byHold[hold.ID])
		}
	}
	return waiting, nil
}
