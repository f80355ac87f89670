package aggregate

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// limitsModel keeps every packet in a list, where limits keep sums. It knows what is in a ledger
// that others write too, and computes the caps from the list and from the others' part of the
// ledger at the last look-up.
type limitsModel struct {
	t       *testing.T
	random  *rand.Rand
	limiter *limiter
	peers   []accounts.PeerAccount
	owns    []accounts.PeerAccount
	limits  map[accounts.PeerAccount]*limits // nil without limits

	packets   []*limitsPacket
	others    map[accounts.PeerAccount]othersPart // in the ledger; of our own account: our liquidity
	seen      map[accounts.PeerAccount]othersPart // at the last look-up
	lookUp    map[accounts.PeerAccount]*reading   // under way
	liquidity map[ledger.ID]*ledger.Account
	seenNext  map[accounts.PeerAccount]othersPart
	admitted  int
	refusals  map[error]int
}

// othersPart is what others have done to an account, and our reservations.
type othersPart struct {
	net, heldIn, heldOut, settling, line int64
	reserved, uncertain                  int64 // ours; uncertain: perhaps released already
}

// limitsPacket is a packet of this recorder.
type limitsPacket struct {
	packet                            transfers.Packet
	isOpen, isOwed, inRound, isBooked bool
}

const (
	modelCap  = 300
	modelLine = 1000
	modelLow  = 400 // how far our liquidity in EUR may go below 0
)

func newLimitsModel(t *testing.T, random *rand.Rand) *limitsModel {
	t.Helper()
	book, err := accounts.NewBook(embedded.New(), accounts.Config{
		Assets: []accounts.Asset{usd, eur},
		Limits: accounts.Rules[accounts.Limits]{
			Asset: map[accounts.Asset]accounts.Limits{
				usd: {PayableCap: accounts.Decimal(usd.Format(units(modelCap)))},
				eur: {PayableCap: accounts.Decimal(eur.Format(units(modelCap)))},
			},
			Peer: map[string]accounts.Limits{"alice": {InFlightShare: "0.2"}, "bob": {InFlightShare: "0.2"}, "free": {PayableCap: "unlimited"}},
		},
		LiquidityFloors: map[accounts.Asset]accounts.Decimal{eur: accounts.Decimal("-" + eur.Format(units(modelLow)))},
	})
	require.NoError(t, err)
	m := &limitsModel{
		t: t, random: random, limiter: newLimiter(book), limits: map[accounts.PeerAccount]*limits{},
		others: map[accounts.PeerAccount]othersPart{}, refusals: map[error]int{},
	}
	for _, asset := range []accounts.Asset{usd, eur} {
		for _, id := range []string{"alice", "bob", "free"} {
			a, err := book.PeerAccount(id, asset)
			require.NoError(t, err)
			m.peers, m.limits[a] = append(m.peers, a), newLimits(book, a)
			m.others[a] = othersPart{line: modelLine, net: m.random.Int64N(200) - 100}
		}
		own, err := book.OwnAccount(asset)
		require.NoError(t, err)
		m.owns = append(m.owns, own)
		m.others[own] = othersPart{}
	}
	m.beginLookUp()
	m.endLookUp()
	return m
}

// change returns what a fulfilled packet does to the position of an account. Our liquidity in an
// asset gets the rest of what peers pay.
func change(p *transfers.Packet, a accounts.PeerAccount) (net int64) {
	in, out := int64(p.In), int64(p.Out)
	if !a.IsOwn() {
		if p.To == a {
			net += out
		}
		if p.From == a {
			net -= in
		}
		return net
	}
	isFrom, isTo := p.From.Ledger() == a.Ledger(), p.To.Ledger() == a.Ledger()
	if isFrom && !p.From.IsOwn() {
		net += in
	}
	if isTo && !p.To.IsOwn() {
		net -= out
	}
	if isFrom && !isTo {
		net -= int64(p.Dust)
	}
	if isFrom && isTo && !p.From.IsOwn() && !p.To.IsOwn() && in > out {
		net -= in - out // a fee
	}
	return net
}

// use is how far packets use up the caps of an account.
type use struct{ position, heldIn, heldOut, share int64 }

// use computes the use of an account's caps, with an additional packet.
func (m *limitsModel) use(a accounts.PeerAccount, add *transfers.Packet) use {
	seen := m.seen[a]
	u := use{position: seen.net, heldIn: seen.heldIn + seen.uncertain, heldOut: seen.heldOut, share: seen.line / 5}
	for _, k := range m.packets {
		if k.isOwed || k.inRound || k.isBooked {
			u.position += change(&k.packet, a)
		}
		if k.isOpen {
			u.add(&k.packet, a)
		}
	}
	if add != nil {
		u.add(add, a)
	}
	return u
}

// add adds an open packet.
func (u *use) add(p *transfers.Packet, a accounts.PeerAccount) {
	if a.IsOwn() {
		u.heldOut += max(0, -change(p, a))
		return
	}
	if p.From == a {
		u.heldIn += int64(p.In)
	}
	if p.To == a {
		u.heldOut += int64(p.Out)
	}
}

// exceeded returns the cap that an account exceeds with a packet; nil if none.
func (m *limitsModel) exceeded(a accounts.PeerAccount, p *transfers.Packet) error {
	if a.Peer() == "free" {
		return nil
	}
	u := m.use(a, p)
	switch {
	case a.IsOwn():
		hasFloor := a.Ledger() == eur.Ledger
		if hasFloor && !p.From.IsOwn() && change(p, a) < 0 && u.position-u.heldOut < -modelLow {
			return transfers.ErrLiquidity
		}
	case p.From == a && p.In > 0 && u.heldIn > u.share+max(0, u.position-m.seen[a].settling):
		return transfers.ErrInFlightShare
	case p.To == a && p.Out > 0 && u.position+u.heldOut > modelCap:
		return transfers.ErrPayableCap
	}
	return nil
}

func (m *limitsModel) randomPacket() *transfers.Packet {
	pick := func() accounts.PeerAccount { return m.peers[m.random.IntN(len(m.peers))] }
	p := &transfers.Packet{From: pick(), To: pick(), In: m.random.Uint64N(80)}
	p.Out = p.In - min(p.In, m.random.Uint64N(3))
	switch m.random.IntN(8) {
	case 0:
		p.From = m.owns[m.random.IntN(2)]
	case 1:
		p.To = m.owns[m.random.IntN(2)]
	case 2:
		p.Out = p.In + m.random.Uint64N(30)
	}
	if p.From.Ledger() != p.To.Ledger() {
		p.Dust, p.Out = m.random.Uint64N(p.In+1), m.random.Uint64N(80)
	}
	return p
}

// prepare checks a packet: the limits must refuse it exactly if the model does.
func (m *limitsModel) prepare() {
	p := m.randomPacket()
	from, to := m.limitsOf(p)
	var want []error
	for _, a := range append([]accounts.PeerAccount{p.From, p.To}, m.owns...) {
		if err := m.exceeded(a, p); err != nil {
			want = append(want, err)
		}
	}
	err := m.limiter.checkCaps(p, from, to)
	if len(want) == 0 {
		require.NoError(m.t, err, "%+v", p)
		m.limiter.hold(p, from, to)
		m.packets = append(m.packets, &limitsPacket{packet: *p, isOpen: true})
		m.admitted++
		return
	}
	var limit *transfers.PacketLimitError
	require.ErrorAs(m.t, err, &limit, "%+v exceeds %v", p, want)
	require.True(m.t, anyIs(want, limit.Cause), "%v, not %v", want, err)
	m.refusals[limit.Cause]++
	sum, _ := limit.Used.Add(limit.Wanted)
	require.True(m.t, limit.Limit.Less(sum), "%v", limit)
}

func anyIs(list []error, target error) bool {
	for _, err := range list {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// limitsOf returns what limiter takes for the peers of a packet.
func (m *limitsModel) limitsOf(p *transfers.Packet) (from, to *limits) {
	if !p.From.IsOwn() {
		from = m.limits[p.From]
	}
	if !p.To.IsOwn() {
		to = m.limits[p.To]
	}
	return from, to
}

// resolve ends an open packet.
func (m *limitsModel) resolve() {
	var open []*limitsPacket
	for _, k := range m.packets {
		if k.isOpen {
			open = append(open, k)
		}
	}
	if len(open) == 0 {
		return
	}
	k := open[m.random.IntN(len(open))]
	from, to := m.limitsOf(&k.packet)
	m.limiter.release(&k.packet, from, to)
	k.isOpen = false
	if m.random.IntN(3) > 0 {
		m.limiter.fulfill(&k.packet, from, to)
		k.isOwed = true
	}
}

// forward books a packet without a hold.
func (m *limitsModel) forward() {
	p := m.randomPacket()
	from, to := m.limitsOf(p)
	m.limiter.fulfill(p, from, to)
	m.packets = append(m.packets, &limitsPacket{packet: *p, isOwed: true})
}

// cutRound takes all owed packets into a round, unless one is under way.
func (m *limitsModel) cutRound() {
	for _, k := range m.packets {
		if k.inRound {
			return
		}
	}
	for _, k := range m.packets {
		k.inRound, k.isOwed = k.isOwed, false
	}
}

// applyRound books the round under way, unless a look-up is under way.
func (m *limitsModel) applyRound() {
	if m.lookUp != nil {
		return
	}
	for _, k := range m.packets {
		if !k.inRound {
			continue
		}
		k.inRound, k.isBooked = false, true
		from, to := m.limitsOf(&k.packet)
		amounts := m.limiter.amountsOf(&k.packet, from, to)
		for _, a := range amounts.all() {
			a.limits.noteBooked(a.amount, a.direction)
		}
	}
}

// actOfOthers changes the others' part of an account.
func (m *limitsModel) actOfOthers() {
	list := append(m.owns[:2:2], m.peers...)
	a := list[m.random.IntN(len(list))]
	o := m.others[a]
	switch m.random.IntN(7) {
	case 0:
		o.net += m.random.Int64N(61) - 30
	case 1:
		o.heldIn = m.random.Int64N(100)
	case 2:
		o.heldOut = m.random.Int64N(60)
	case 3:
		o.settling = m.random.Int64N(50)
	case 4:
		o.line = modelLine + m.random.Int64N(50)
	case 5:
		o.reserved = m.random.Int64N(300)
	case 6:
		o.uncertain = m.random.Int64N(30)
	}
	if a.IsOwn() {
		o = othersPart{net: o.net, heldOut: o.heldOut}
	}
	m.others[a] = o
}

// beginLookUp reads all accounts as they are in the ledger now.
func (m *limitsModel) beginLookUp() {
	if m.lookUp != nil {
		return
	}
	m.lookUp, m.seenNext = map[accounts.PeerAccount]*reading{}, map[accounts.PeerAccount]othersPart{}
	m.liquidity = map[ledger.ID]*ledger.Account{}
	for a, o := range m.others {
		net := o.net
		for _, k := range m.packets {
			if k.isBooked {
				net += change(&k.packet, a)
			}
		}
		m.seenNext[a] = o
		const posted = 100_000 // by all in the past
		if a.IsOwn() {
			own, _ := m.limiter.book.AssetIDs(a.Ledger())
			m.liquidity[own.Liquidity] = &ledger.Account{CreditsPosted: units(posted + net), DebitsPosted: units(posted), DebitsPending: units(o.heldOut)}
			continue
		}
		// What the peer account cannot pay is in arrears.
		free := max(0, net+o.line)
		arrears := free - net - o.line
		m.lookUp[a] = peerReading(
			&ledger.Account{
				CreditsPosted: units(posted + free), DebitsPosted: units(posted),
				DebitsPending: units(o.heldIn + o.settling + o.reserved + o.uncertain), CreditsPending: units(o.heldOut),
			},
			&ledger.Account{DebitsPosted: units(o.line + 7), CreditsPosted: units(7)},
			&ledger.Account{DebitsPosted: units(arrears + 5), CreditsPosted: units(5)},
			&ledger.Account{CreditsPending: units(o.settling)},
			units(o.reserved),
		)
	}
}

func units(n int64) ledger.Amount { return ledger.NewAmount(uint64(n)) }

// endLookUp gives the limits what the look-up has read.
func (m *limitsModel) endLookUp() {
	if m.lookUp == nil {
		return
	}
	for a, r := range m.lookUp {
		if l := m.limits[a]; l != nil {
			l.readAccounts(r)
		}
	}
	m.limiter.readFloors(m.liquidity)
	m.seen, m.lookUp = m.seenNext, nil
}

// Random packets, rounds, look-ups and acts of others: the limits refuse exactly the packets that
// exceed a cap, counting others as of the last look-up.
func TestLimitsFollowTheirModel(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	admitted, refusals := 0, map[error]int{}
	for program := range uint64(300) {
		m := newLimitsModel(t, rand.New(rand.NewPCG(seed, program)))
		for range 200 {
			switch n := m.random.IntN(20); {
			case n < 8:
				m.prepare()
			case n < 12:
				m.resolve()
			case n < 13:
				m.forward()
			case n < 14:
				m.cutRound()
			case n < 15:
				m.applyRound()
			case n < 16:
				m.actOfOthers()
			case n < 18:
				m.beginLookUp()
			default:
				m.endLookUp()
			}
		}
		for err, n := range m.refusals {
			refusals[err] += n
		}
		admitted += m.admitted
	}
	t.Logf("%d packets admitted, refused: %v", admitted, refusals)
	require.Greater(t, admitted, 300*20)
	for _, cause := range []error{transfers.ErrPayableCap, transfers.ErrInFlightShare, transfers.ErrLiquidity} {
		require.Greater(t, refusals[cause], 300, "%v", cause)
	}
}
