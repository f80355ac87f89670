package console

import (
	"context"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// detail is all that a peer's page shows beside the look. Each part has its own error: a part that
// could not be read is shown as unknown.
type detail struct {
	at         time.Time
	balance    accounts.Balance
	balanceErr error
	holds      []hold // the first maxHolds to expire
	holdsCount int    // all
	holdsErr   error
	orders     []settlement.OpenOrder
	ordersErr  error
	// standing is zero for a peer that is active and without arrears, which needs no further request.
	standing    accounts.Standing
	standingErr error
}

// details shares the details of a peer between browsers.
type details = shared[accounts.PeerAccount, detail]

// detailEntry is the reading of a peer.
type detailEntry = sharedEntry[detail]

// readDetail reads a peer. It goes on when the request of one browser ends, since others may wait for it.
func (c *Console) readDetail(ctx context.Context, account accounts.PeerAccount, asset accounts.Asset) (*detail, error) {
	lasting := context.WithoutCancel(ctx)
	return c.details.get(ctx, account, func() *detail {
		d := &detail{at: time.Now()}
		err := c.readLedger(lasting, c.cfg.Timeout, func(ctx context.Context) error {
			d.balance, d.balanceErr = c.cfg.Book.Balance(ctx, account)
			var holds []hold
			holds, d.holdsErr = c.readHolds(ctx, account, asset)
			d.holds, d.holdsCount = slices.Clone(holds[:min(len(holds), maxHolds)]), len(holds) // without the memory of the others
			if c.cfg.Settlement == nil {
				d.ordersErr = errNoEngine
			} else {
				d.orders, d.ordersErr = c.cfg.Settlement.Orders(ctx, account)
			}
			d.standing, d.standingErr = c.readStanding(ctx, &d.balance) // last: long arrears take long
			return nil
		})
		if err != nil { // read was not called
			d.balanceErr, d.holdsErr, d.ordersErr, d.standingErr = err, err, err, err
		}
		return d
	})
}
