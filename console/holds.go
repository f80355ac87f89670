package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// hold is a hold of a packet, or a reservation of a recorder in rounds.
type hold struct {
	What, ID, Condition string
	In, Out             string
	since, expiry       time.Time // expiry is zero if it never expires
}

// maxHolds is the number of holds on a peer's page; downloads have all.
const maxHolds = 100

// readHolds reads the holds and reservations of a peer, the first to expire first.
func (c *Console) readHolds(ctx context.Context, account accounts.PeerAccount, a accounts.Asset) ([]hold, error) {
	holds, holdsErr := c.cfg.Book.Holds(ctx, account)
	reservations, reservationsErr := c.cfg.Book.Reservations(ctx, account)
	if err := errors.Join(holdsErr, reservationsErr); err != nil {
		return nil, err
	}
	list := make([]hold, 0, len(holds)+len(reservations))
	for _, h := range holds {
		list = append(list, hold{
			What: "packet", ID: h.Packet.String(), Condition: formatTag(h.ConditionTag), In: a.Format(h.In), Out: a.Format(h.Out),
			since: h.Since, expiry: h.Expiry,
		})
	}
	for _, r := range reservations {
		list = append(list, hold{What: "reservation for rounds", ID: r.ID.String(), In: a.Format(r.Amount), since: r.Since, expiry: r.Expiry})
	}
	slices.SortStableFunc(list, func(x, y hold) int {
		switch {
		case x.expiry.IsZero() == y.expiry.IsZero():
			return x.expiry.Compare(y.expiry)
		case x.expiry.IsZero(): // never: last
			return 1
		default:
			return -1
		}
	})
	return list, nil
}

// holdView is a hold as text.
type holdView struct {
	hold

	Since, Expiry, Age string
	Overdue            bool // the expiry has passed
}

func viewHolds(list []hold, now time.Time) []holdView {
	var views []holdView
	for _, h := range list {
		views = append(views, holdView{
			hold: h, Since: formatTime(h.since), Expiry: formatTime(h.expiry), Age: formatAge(now.Sub(h.since)),
			Overdue: !h.expiry.IsZero() && h.expiry.Before(now),
		})
	}
	return views
}

var holdFields = []field[hold]{
	{"what", func(h hold) any { return h.What }},
	{"id", func(h hold) any { return h.ID }},
	{"in", func(h hold) any { return h.In }},
	{"out", func(h hold) any { return h.Out }},
	{"since", func(h hold) any { return stampTime(h.since) }},
	{"expiry", func(h hold) any { return stampTime(h.expiry) }},
	{"condition", func(h hold) any { return h.Condition }},
}

// showHolds has the holds of a peer for downloads; their page is the peer's. Each download reads all holds.
func (c *Console) showHolds(w http.ResponseWriter, r *http.Request, f format) {
	account, asset, err := c.findAccount(r.URL.Query())
	switch {
	case err != nil:
		c.fail(w, http.StatusBadRequest, err)
		return
	case f == formatHTML:
		redirect(w, "peer?"+accountQuery(account.Peer(), c.nameAsset(asset)))
		return
	}
	var holds []hold
	err = c.readLedger(r.Context(), c.cfg.Timeout, func(ctx context.Context) error {
		holds, err = c.readHolds(ctx, account, asset)
		return err
	})
	if err != nil {
		c.fail(w, statusOf(err), err)
		return
	}
	writeRows(w, f, "holds", slices.Values(holds), holdFields)
}
