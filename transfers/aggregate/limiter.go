package aggregate

import (
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// limiter enforces the limits of a book: of the peers of packets, and of our liquidity. Like the
// machine it is pure, and one goroutine at a time uses it. A machine whose book has no limits has
// no limiter.
type limiter struct {
	book   *accounts.Book
	floors map[uint32]*limits // of our liquidity by ledger number, in assets with a floor; never changed
	held   []heldAmounts      // of accepted packets, by index in the machine's heldPackets
}

// newLimiter returns the limiter of a book, nil if the book has no limits.
func newLimiter(book *accounts.Book) *limiter {
	if !book.HasCaps() && !book.HasPacketLimits() && len(book.FlooredAssets()) == 0 {
		return nil
	}
	return &limiter{book: book, floors: newFloors(book)}
}

// limitedAmount is the amount of a packet that counts against the limits of one account.
type limitedAmount struct {
	limits    *limits
	amount    ledger.Amount
	direction direction
	exempt    bool // counted, and never refused
}

// limitedAmounts are the amounts of a packet: of two peers, and of our liquidity in two assets.
type limitedAmounts struct {
	array [4]limitedAmount
	count int
}

func (a *limitedAmounts) add(l *limits, amount uint64, d direction, exempt bool) {
	if l != nil && amount > 0 {
		a.array[a.count] = limitedAmount{l, ledger.NewAmount(amount), d, exempt}
		a.count++
	}
}

func (a *limitedAmounts) all() []limitedAmount { return a.array[:a.count] }

// amountsOf returns the amounts of a packet. from and to are the limits of its peers, nil for
// ourselves and without limits.
func (r *limiter) amountsOf(p *transfers.Packet, from, to *limits) (amounts limitedAmounts) {
	amounts.add(from, p.In, incoming, false)
	amounts.add(to, p.Out, outgoing, false)
	if len(r.floors) > 0 {
		r.addFloors(&amounts, p)
	}
	return amounts
}

// checkCaps returns the error of the first cap or floor that a new packet exceeds. No two amounts
// of a packet count against the same cap, so each is checked by itself.
func (r *limiter) checkCaps(p *transfers.Packet, from, to *limits) error {
	amounts := r.amountsOf(p, from, to)
	for _, a := range amounts.all() {
		if a.exempt {
			continue
		}
		if err := a.limits.checkCap(a.amount, a.direction); err != nil {
			return err
		}
	}
	return nil
}

// noteHeld notes the amounts of the held packet with an index.
func (r *limiter) noteHeld(i uint32, amounts heldAmounts) {
	for len(r.held) <= int(i) {
		r.held = append(r.held, make([]heldAmounts, heldChunk)...)
	}
	r.held[i] = amounts
}

// hold counts a packet that was accepted.
func (r *limiter) hold(p *transfers.Packet, from, to *limits) {
	amounts := r.amountsOf(p, from, to)
	for _, a := range amounts.all() {
		a.limits.hold(a.amount, a.direction)
	}
}

// release takes back the hold of a packet that was rejected or has expired.
func (r *limiter) release(p *transfers.Packet, from, to *limits) {
	amounts := r.amountsOf(p, from, to)
	for _, a := range amounts.all() {
		a.limits.release(a.amount, a.direction)
	}
}

// fulfill counts a fulfilled packet. The hold of a packet that was open must be released too.
func (r *limiter) fulfill(p *transfers.Packet, from, to *limits) {
	amounts := r.amountsOf(p, from, to)
	for _, a := range amounts.all() {
		a.limits.owe(a.amount, a.direction)
	}
}

// checkPacket checks the limit on a single new packet: the sender's MaxPacket. It refuses the packets
// of peers whose limits are unknown.
func checkPacket(p *transfers.Packet, from, to *limits) error {
	for _, l := range [...]*limits{from, to} {
		if l != nil && l.fault != nil {
			return l.fault
		}
	}
	if from != nil {
		in, limit := ledger.NewAmount(p.In), from.effective.MaxPacket
		if !limit.IsZero() && limit.Less(in) {
			return &transfers.PacketLimitError{Account: p.From, Asset: from.asset, Cause: transfers.ErrPacketTooLarge, Limit: limit, Wanted: in}
		}
	}
	return nil
}

// shortestMaxHold returns the shorter MaxHold of two peers, 0 if neither has one.
func shortestMaxHold(from, to *limits) (shortest time.Duration) {
	for _, l := range [...]*limits{from, to} {
		if l != nil && l.effective.MaxHold > 0 && (shortest == 0 || l.effective.MaxHold < shortest) {
			shortest = l.effective.MaxHold
		}
	}
	return shortest
}

// checkConversion refuses a packet between two assets that the guard does not allow. Packets from
// or to ourselves are not checked.
func checkConversion(guard accounts.ConversionGuard, book *accounts.Book, p *transfers.Packet) error {
	if !guard.GuardConversions && guard.Rate == nil || p.From.Ledger() == p.To.Ledger() || p.From.IsOwn() || p.To.IsOwn() {
		return nil
	}
	from, _ := book.Asset(p.From.Ledger())
	to, _ := book.Asset(p.To.Ledger())
	if !guard.Allows(from, to, p.In, p.Out) {
		return fmt.Errorf("%w: in %d of %v, out %d of %v", transfers.ErrAmounts, p.In, from, p.Out, to)
	}
	return nil
}
