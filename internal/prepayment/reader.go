package prepayment

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Reader reads the rows of peers. Its methods may be called concurrently.
type Reader struct {
	ledger   ledger.Ledger
	pageSize atomic.Uint32 // rows in a request; lowered for a ledger with a smaller limit
}

// NewReader returns a [Reader] of a ledger. rows is the number of rows in a request, at most
// [ledger.QueryMax].
func NewReader(l ledger.Ledger, rows int) *Reader {
	r := &Reader{ledger: l}
	r.pageSize.Store(uint32(rows))
	return r
}

// moment is the end of the rows to read, with the peer's accounts and their sums.
type moment struct {
	accounts Accounts
	sums     Sums   // those of settlement and suspense may be of a later moment
	through  uint64 // timestamp of the newest row to count; 0: all
}

// advanceState applies the rows between a state and a moment.
func (r *Reader) advanceState(ctx context.Context, from state, before *Sums, m *moment) (state, error) {
	list := selectStreams(m.accounts, before, &m.sums, false)
	for _, s := range list {
		if err := r.readAfter(ctx, s, from.newestRow, m.through); err != nil {
			return state{}, err
		}
	}
	rows := mergeStreams(list, from.newestRow)
	if err := r.completeRows(ctx, m, rows); err != nil {
		return state{}, err
	}
	return replayRows(from, rows)
}

// findState computes the state at a moment without an earlier state. It reads backwards, a page of
// each code at a time, until there is a row with a known position. From this row it replays the
// rows twice: with nothing prepaid, and with as much prepaid as possible. When both give the same
// result, older rows do not matter.
func (r *Reader) findState(ctx context.Context, m *moment) (state, error) {
	list := selectStreams(m.accounts, &Sums{}, &m.sums, true)
	for _, s := range list {
		if err := r.readBefore(ctx, s, m.through); err != nil {
			return state{}, err
		}
	}
	for {
		floor := uint64(0)
		for _, s := range list {
			floor = max(floor, s.floor)
		}
		rows := mergeStreams(list, floor)
		if err := r.completeRows(ctx, m, rows); err != nil {
			return state{}, err
		}
		if floor == 0 {
			return replayRows(initialState(), rows)
		}
		result, same, err := tryBothStarts(m, rows)
		if err != nil || same {
			return result, err
		}
		for _, s := range list {
			if s.floor != floor {
				continue
			}
			if err := r.readBefore(ctx, s, m.through); err != nil {
				return state{}, err
			}
		}
	}
}

// tryBothStarts replays the rows behind the first row on the peer account, with the least and with
// the most that can be prepaid right after it.
func tryBothStarts(m *moment, rows []row) (result state, same bool, err error) {
	first := slices.IndexFunc(rows, func(r row) bool { return r.onPeer })
	if first < 0 {
		return state{}, false, nil
	}
	position, paidIn := positionAfter(m, rows, first)
	most := maxBig(new(big.Int), minBig(position, paidIn))
	start := func(prepaid *big.Int) state {
		net := new(big.Int).Sub(position, prepaid)
		return state{Split{net, new(big.Int).Set(prepaid)}, rows[first].totals, rows[first].Timestamp}
	}
	low, err := replayRows(start(new(big.Int)), rows[first+1:])
	if err != nil {
		return state{}, false, err
	}
	high, err := replayRows(start(most), rows[first+1:])
	return low, err == nil && low.equalsSplit(high.Split), err
}

// positionAfter returns the position right after a row on the peer account, and an upper bound of
// the amount paid in until then: the sums of the moment without the later rows.
func positionAfter(m *moment, rows []row, index int) (position, paidIn *big.Int) {
	line, arrears := netDebits(m.sums.Line), netDebits(m.sums.Arrears)
	paidIn = new(big.Int).Add(m.sums.Settlement.Debits.Big(), m.sums.Suspense.Debits.Big())
	for i := range rows[index+1:] {
		later := &rows[index+1+i]
		amount := later.Amount.Big()
		switch {
		case later.Timestamp == rows[index].Timestamp: // a collection, on the other account
		case !later.onPeer && later.debit:
			arrears.Sub(arrears, amount)
		case !later.onPeer:
			arrears.Add(arrears, amount)
		case later.Code == chart.CodeGrant && later.debit:
			line.Add(line, amount)
		case later.Code == chart.CodeGrant:
			line.Sub(line, amount)
		case later.Code == chart.CodeIncoming || later.Code == chart.CodeVoucher:
			paidIn.Sub(paidIn, amount)
		}
	}
	totals := rows[index].totals
	position = new(big.Int).Sub(totals.Credits.Big(), totals.Debits.Big())
	return position.Sub(position, line.Add(line, arrears)), paidIn
}

// mergeStreams returns the rows of all streams after a moment, in order of time.
func mergeStreams(list []*stream, after uint64) []row {
	var rows []row
	for _, s := range list {
		for i := range s.rows {
			if s.rows[i].Timestamp > after {
				rows = append(rows, s.rows[i])
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return rows
}

// completeRows adds facts from outside the rows: the totals of the peer account before a payment on
// arrears, and whether an old correction collects an excess.
func (r *Reader) completeRows(ctx context.Context, m *moment, rows []row) error {
	for i := range rows {
		this := &rows[i]
		if kind := this.classifyEvent(); this.onPeer || kind != eventIn && kind != eventOut {
			continue
		}
		switch {
		case i+1 < len(rows) && rows[i+1].onPeer && rows[i+1].Timestamp == this.Timestamp+1: // of the same chain
			this.totals = rows[i+1].totalsBefore()
		case i > 0 && rows[i-1].onPeer && rows[i-1].Timestamp == this.Timestamp-1:
			this.totals = rows[i-1].totals
		default:
			totals, err := r.readTotalsAt(ctx, m.accounts.Peer, this.Timestamp)
			if err != nil {
				return fmt.Errorf("read the history of a peer: %w", err)
			}
			this.totals = totals
		}
	}
	return r.markExcesses(ctx, m, rows)
}

// markExcesses marks the corrections that name an order of the peer. All other corrections name a
// packet, and no order has the id of a packet.
func (r *Reader) markExcesses(ctx context.Context, m *moment, rows []row) error {
	var ids []ledger.ID
	for i := range rows {
		if rows[i].onPeer && rows[i].Code == chart.CodeCorrection {
			ids = append(ids, ledger.ID(rows[i].UserData128))
		}
	}
	found, err := batch.Each(ctx, ids, 1, r.ledger.LookupTransfers)
	if err != nil {
		return fmt.Errorf("look up orders of a peer: %w", err)
	}
	orders := make(map[uint128.Uint128]bool)
	for _, t := range found {
		if t.Code == chart.CodeOrder && t.CreditAccountID == m.accounts.Settlement {
			orders[uint128.Uint128(t.ID)] = true
		}
	}
	for i := range rows {
		rows[i].collectsExcess = rows[i].onPeer && rows[i].Code == chart.CodeCorrection && orders[rows[i].UserData128]
	}
	return nil
}

// replayRows applies rows to a copy of a state.
func replayRows(from state, rows []row) (state, error) {
	now := from.cloneState()
	for i := range rows {
		if err := now.applyRow(&rows[i]); err != nil {
			return state{}, err
		}
	}
	return now, nil
}
