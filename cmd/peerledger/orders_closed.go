package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// closedOrderRow is a closed order in the output. Amounts are in whole units of the asset.
type closedOrderRow struct {
	Peer     string `json:"peer"`
	Asset    string `json:"asset"`
	Order    string `json:"order"` // the id, which is also the key at the rail
	Sequence uint64 `json:"sequence"`
	Amount   string `json:"amount"`
	Paid     string `json:"paid"`
	Outcome  string `json:"outcome"`
	Rail     string `json:"rail,omitempty"`
	Placed   string `json:"placed"` // RFC 3339, as the next one
	Closed   string `json:"closed"`
	// Owner is the name of the engine that owned the order last, or its id: the ledger has no names.
	Owner string `json:"owner"`
}

// closedFlags are the flags of closed orders. limit is also of open ones.
type closedFlags struct {
	closed bool
	before string
	limit  int // 0: all open orders, or the library's default of closed ones
}

// check refuses flags that contradict each other.
func (f *closedFlags) check(isSet func(name string) bool) error {
	switch {
	case !f.closed && isSet("before"):
		return fmt.Errorf("%w: --before is for --closed", errUsage)
	case f.closed && isSet("stuck"):
		return fmt.Errorf("%w: --stuck is for open orders", errUsage)
	case f.limit < 0:
		return fmt.Errorf("%w: --limit must be 0 or more", errUsage)
	default:
		return nil
	}
}

// showClosedOrders prints a page of the closed orders of accounts.
func (s *session) showClosedOrders(ctx context.Context, engine *settlement.Engine, f *closedFlags, list []accounts.PeerAccount) error {
	before, err := parseMoment(f.before, time.Now())
	if err != nil {
		return fmt.Errorf("%w: --before: %w", errUsage, err)
	}
	page, err := engine.ClosedOrders(ctx, settlement.ClosedOrderQuery{Limit: f.limit, Before: before}, list...)
	if err != nil {
		return err
	}
	names := map[ledger.ID]string{}
	for _, name := range []string{operatorInstance, defaultEnginesInstance} {
		names[settlement.InstanceID(s.book, name)] = name
	}
	rows := make([]closedOrderRow, len(page.Orders))
	for i, o := range page.Orders {
		owner, known := names[o.Owner]
		if !known {
			owner = o.Owner.String()
		}
		rows[i] = closedOrderRow{
			Peer: o.Account.Peer(), Asset: o.Asset.String(), Order: o.ID.String(), Sequence: o.Sequence, Amount: o.Asset.Format(o.Amount),
			Paid: o.Asset.Format(o.Paid), Outcome: string(o.Outcome), Rail: o.Rail, Placed: formatExactTime(o.PlacedAt), Closed: formatExactTime(o.ClosedAt), Owner: owner,
		}
	}
	s.list.whenEmpty = "No order was closed."
	if page.More {
		fmt.Fprintf(s.stderr, "peerledger: there are older ones: repeat the command with --before %s, or see --limit\n", rows[len(rows)-1].Closed)
	}
	return printRows(s.app, rows,
		column[closedOrderRow]{title: "peer", cell: func(r closedOrderRow) string { return r.Peer }},
		column[closedOrderRow]{title: "asset", cell: func(r closedOrderRow) string { return r.Asset }},
		column[closedOrderRow]{title: "order", names: true, cell: func(r closedOrderRow) string { return r.Order }},
		column[closedOrderRow]{title: "amount", cell: func(r closedOrderRow) string { return r.Amount }, right: true},
		column[closedOrderRow]{title: "paid", cell: func(r closedOrderRow) string { return r.Paid }, right: true},
		column[closedOrderRow]{title: "outcome", cell: func(r closedOrderRow) string { return r.Outcome }},
		column[closedOrderRow]{title: "placed", isTime: true, cell: func(r closedOrderRow) string { return cutSeconds(r.Placed) }, value: func(r closedOrderRow) string { return r.Placed }},
		column[closedOrderRow]{title: "closed", isTime: true, cell: func(r closedOrderRow) string { return cutSeconds(r.Closed) }, value: func(r closedOrderRow) string { return r.Closed }},
		column[closedOrderRow]{title: "rail", cell: func(r closedOrderRow) string { return r.Rail }},
		column[closedOrderRow]{title: "sequence", cell: func(r closedOrderRow) string { return strconv.FormatUint(r.Sequence, 10) }, right: true, wide: true},
		column[closedOrderRow]{title: "owner", cell: func(r closedOrderRow) string { return r.Owner }},
	)
}
