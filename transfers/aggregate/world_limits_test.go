package aggregate

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// The limits of the peers of a world.
const (
	worldCap   = 600  // PayableCap of peer0
	worldShare = 10   // InFlightShare of peer1, percent
	worldFloor = 1500 // how far our liquidity in EUR may go below 0
)

// worldConfig returns the configuration of a world's book.
func worldConfig(isLimited bool) accounts.Config {
	cfg := accounts.Config{Assets: []accounts.Asset{usd, eur}}
	if !isLimited {
		return cfg
	}
	cfg.LiquidityFloors = map[accounts.Asset]accounts.Decimal{eur: accounts.Decimal("-" + eur.Format(units(worldFloor)))}
	cfg.Limits.PeerAsset = map[accounts.PeerAsset]accounts.Limits{}
	for _, asset := range cfg.Assets {
		text := func(n int64) accounts.Decimal { return accounts.Decimal(asset.Format(units(n))) }
		cfg.Limits.PeerAsset[accounts.PeerAsset{Peer: "peer0", Asset: asset}] = accounts.Limits{PayableCap: text(worldCap)}
		cfg.Limits.PeerAsset[accounts.PeerAsset{Peer: "peer1", Asset: asset}] = accounts.Limits{InFlightShare: "0.1", MaxHold: 10 * time.Second}
		cfg.Limits.PeerAsset[accounts.PeerAsset{Peer: "peer2", Asset: asset}] = accounts.Limits{MaxPacket: text(900), PacketRate: "4/10s"}
	}
	return cfg
}

// limitsOfWorld is what a model of the limits knows about an instance.
type limitsOfWorld struct {
	seen     map[accounts.PeerAccount]othersPart // at the last look-up
	open     map[ledger.ID]transfers.Packet      // accepted in this life
	accepted []acceptedPacket                    // since the last check
	records  int                                 // in the journal at the newest reply with a record
}

// acceptedPacket is a packet that the instance has accepted.
type acceptedPacket struct {
	transfers.Packet
	records int // of the journal: those that resolved packets before it are among them, later ones are not
}

// noteLookUp notes what others have in the accounts that an instance looks up, and all of our
// liquidity.
func (w *world) noteLookUp(in *instance, r *request) {
	if !w.limited {
		return
	}
	through := in.bookedThrough()
	for _, a := range w.peers {
		if slices.Contains(r.ids, a.ID()) {
			in.limits.seen[a] = w.readOthers(in, a, through)
		}
	}
	for _, asset := range w.book.Assets() {
		own, _ := w.book.OwnAccount(asset)
		in.limits.seen[own] = w.readOthers(in, own, through)
	}
}

// bookedThrough returns the number of the last fulfill of the instance in an applied round.
func (in *instance) bookedThrough() (through uint64) {
	for _, rec := range in.journal {
		if rec.kind == packetlog.KindApplied {
			applied, err := packetlog.ReadRound(rec.data)
			require.NoError(in.world.tb, err)
			through = applied.Through
		}
	}
	return through
}

// readOthers returns what others have done to an account: the ledger, less the packets and
// reservations of the instance.
func (w *world) readOthers(in *instance, a accounts.PeerAccount, through uint64) (o othersPart) {
	look := func(id ledger.ID) ledger.Account {
		rows, err := w.ledger.LookupAccounts(context.Background(), []ledger.ID{id})
		require.NoError(w.tb, err)
		return append(rows, ledger.Account{})[0]
	}
	for _, r := range in.resolved(len(in.journal)) {
		if p := w.packetOf(&r); !r.IsRejected() && r.Number <= through {
			o.net -= change(&p, a)
		}
	}
	if a.IsOwn() {
		own, _ := w.book.AssetIDs(a.Ledger())
		liquidity := look(own.Liquidity)
		o.net += posted(&liquidity)
		return o
	}
	ids := w.book.PeerIDs(a)
	peer, line, settlement, arrears := look(ids.Peer), look(ids.Line), look(ids.Settlement), look(ids.Arrears)
	o.line, o.settling = -posted(&line), amountOf(settlement.CreditsPending)
	o.net += posted(&peer) + posted(&line) + posted(&arrears)
	o.heldIn = amountOf(peer.DebitsPending) - o.settling - w.reservedBy(in, ids.Peer)
	return o
}

// packetOf returns a packet of a journal with its accounts.
func (w *world) packetOf(r *packetlog.Packet) transfers.Packet {
	from, err := w.book.AccountIn(r.From.Ledger, r.From.Peer)
	require.NoError(w.tb, err)
	to, err := w.book.AccountIn(r.To.Ledger, r.To.Peer)
	require.NoError(w.tb, err)
	return transfers.Packet{ID: r.ID, From: from, To: to, In: r.In, Out: r.Out, Dust: r.Dust}
}

// reservedBy returns what an instance has reserved of an account, by the ledger.
func (w *world) reservedBy(in *instance, id ledger.ID) (sum int64) {
	rows, err := w.ledger.QueryTransfers(context.Background(), ledger.QueryFilter{
		UserData64: in.number, Code: chart.CodeReserve, Limit: ledger.QueryMax,
	})
	require.NoError(w.tb, err)
	now := uint64(base.Add(w.now).UnixNano())
	ended := map[ledger.ID]bool{}
	for i := range rows {
		ended[rows[i].PendingID] = true
	}
	for i := range rows {
		row := &rows[i]
		hasExpired := row.Timestamp+uint64(row.Timeout)*uint64(time.Second) <= now
		if row.Flags.Has(ledger.TransferPending) && row.DebitAccountID == id && !ended[row.ID] && !hasExpired {
			sum += amountOf(row.Amount)
		}
	}
	return sum
}

// noteReply notes how long the journal is. A call of the machine may both accept packets and resolve others, whose
// resolutions change what the caps leave: replies come in the order in which the machine decided.
func (in *instance) noteReply(r *reply) {
	in.limits.records = max(in.limits.records, in.base+int(r.record))
}

// noteAccepted notes a packet that the instance has accepted.
func (in *instance) noteAccepted(p *transfers.Packet) {
	in.limits.accepted = append(in.limits.accepted, acceptedPacket{*p, in.limits.records})
}

// checkAccepted checks, after a call of the machine that has accepted packets, that these were within the caps: by all
// own packets before each, and by others as of the last look-up. Then it compares the machine's numbers with the model.
func (in *instance) checkAccepted() {
	accepted := in.limits.accepted
	in.limits.accepted = nil
	if !in.world.limited || len(accepted) == 0 {
		return
	}
	in.world.accepted += len(accepted)
	for i := range accepted {
		p := &accepted[i].Packet
		in.limits.open[p.ID] = *p
		fulfilled := in.noteResolved(accepted[i].records)
		for _, a := range []accounts.PeerAccount{p.From, p.To} {
			asset, _ := in.world.book.Asset(a.Ledger())
			own, _ := in.world.book.OwnAccount(asset)
			in.checkCaps(p, a, fulfilled)
			in.checkCaps(p, own, fulfilled)
		}
	}
	in.compareNumbers(in.noteResolved(len(in.journal)))
}

// noteResolved ends the packets that the first n records of the journal resolve, and those that have expired. It
// returns all fulfilled packets of these records.
func (in *instance) noteResolved(n int) (fulfilled []transfers.Packet) {
	resolved := in.resolved(n)
	for i := range resolved {
		p := in.world.packetOf(&resolved[i])
		delete(in.limits.open, p.ID)
		if !resolved[i].IsRejected() {
			fulfilled = append(fulfilled, p)
		}
	}
	for id, p := range in.limits.open {
		if end := p.Expiry.UnixNano() + int64(in.machine.rules.margin); end>>bucketShift < in.machine.clock>>bucketShift {
			delete(in.limits.open, id)
		}
	}
	return fulfilled
}

// useOf computes how far packets use up the caps of an account.
func (in *instance) useOf(a accounts.PeerAccount, fulfilled []transfers.Packet) use {
	seen := in.limits.seen[a]
	u := use{position: seen.net, heldIn: seen.heldIn, share: seen.line * worldShare / 100}
	for i := range fulfilled {
		u.position += change(&fulfilled[i], a)
	}
	for _, open := range in.limits.open {
		u.add(&open, a)
	}
	return u
}

// compareNumbers compares the numbers of the machine with the model's. What others hold may count
// for more than it is, where a reservation of ours is not certain to be there.
func (in *instance) compareNumbers(fulfilled []transfers.Packet) {
	tb := in.world.tb
	compare := func(a accounts.PeerAccount, l *limits) {
		if _, isSeen := in.limits.seen[a]; !isSeen || l == nil {
			return
		}
		u := in.useOf(a, fulfilled)
		if a.IsOwn() {
			u.position = -u.position - worldFloor // what is missing to the floor is what we owe
		}
		require.Equal(tb, u.position, amountOf(l.credits)-amountOf(l.debits), "%v", a)
		require.Equal(tb, u.heldOut, amountOf(l.usedPayable())-max(0, u.position), "%v", a)
		switch f := in.world.faults; {
		case a.IsOwn(): // what flows in is never refused
		case f.late || f.crashes:
			require.GreaterOrEqual(tb, amountOf(l.usedInFlight()), u.heldIn, "%v", a)
		default:
			require.Equal(tb, u.heldIn, amountOf(l.usedInFlight()), "%v", a)
		}
	}
	for _, p := range in.machine.peers {
		compare(p.account, p.limits)
	}
	for _, floor := range in.machine.limiter.floors {
		compare(floor.account, floor)
	}
}

// checkCaps checks the caps of an account that a packet of the instance counts against.
func (in *instance) checkCaps(p *transfers.Packet, a accounts.PeerAccount, fulfilled []transfers.Packet) {
	tb, settling, u := in.world.tb, in.limits.seen[a].settling, in.useOf(a, fulfilled)
	switch {
	case a.IsOwn():
		if a.Ledger() == eur.Ledger && !p.From.IsOwn() && change(p, a) < 0 {
			require.GreaterOrEqual(tb, u.position-u.heldOut, int64(-worldFloor), "liquidity: %+v", u)
		}
	case a.Peer() == "peer0" && p.To == a && p.Out > 0:
		require.LessOrEqual(tb, u.position+u.heldOut, int64(worldCap), "owed to %v: %+v", a, u)
	case a.Peer() == "peer1" && p.From == a && p.In > 0:
		require.LessOrEqual(tb, u.heldIn, u.share+max(0, u.position-settling), "held from %v: %+v", a, u)
	case a.Peer() == "peer2" && p.From == a:
		require.LessOrEqual(tb, p.In, uint64(900))
	}
	if a.Peer() == "peer1" {
		require.LessOrEqual(tb, p.Hold, 10*time.Second+in.machine.rules.margin)
	}
}
