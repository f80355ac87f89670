package transfers_test

import (
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// model computes the amounts posted in each account from the acknowledged packets. It follows
// the table of the package comment, and shares no code with the package.
type model struct {
	assetIDs map[uint32]accounts.AssetIDs
	arrears  func(accounts.PeerAccount) ledger.ID
	posted   map[ledger.ID]*accountTotals
}

// accountTotals are the amounts posted in one account.
type accountTotals struct{ debits, credits uint64 }

// movement is one line of the table: a leg of a packet.
type movement struct {
	debit, credit ledger.ID
	amount        uint64
	leg           uint64
}

func newModel(own map[uint32]accounts.AssetIDs, book *accounts.Book) *model {
	arrears := func(a accounts.PeerAccount) ledger.ID { return book.PeerIDs(a).Arrears }
	return &model{assetIDs: own, arrears: arrears, posted: make(map[ledger.ID]*accountTotals)}
}

func (m *model) totalsOf(account ledger.ID) *accountTotals {
	s := m.posted[account]
	if s == nil {
		s = new(accountTotals)
		m.posted[account] = s
	}
	return s
}

// movements returns the movements of a packet, and the amount charged to the sender.
func (m *model) movements(p *transfers.Packet) (all []movement, charged uint64) {
	from, to := m.assetIDs[p.From.Ledger()], m.assetIDs[p.To.Ledger()]
	add := func(debit, credit ledger.ID, amount, leg uint64) {
		if debit == credit || amount == 0 {
			return
		}
		all = append(all, movement{debit, credit, amount, leg})
		if debit == p.From.ID() {
			charged += amount
		}
	}
	switch {
	case p.From.Ledger() != p.To.Ledger():
		add(p.From.ID(), from.Liquidity, p.In-p.Dust, 0)
		add(to.Liquidity, p.To.ID(), p.Out, 1)
		add(p.From.ID(), from.Dust, p.Dust, 2)
	case p.From.IsOwn():
		add(from.Liquidity, p.To.ID(), p.Out, 0)
	case p.To.IsOwn():
		add(p.From.ID(), from.Liquidity, p.In, 0)
	case p.From == p.To:
		add(p.From.ID(), from.Liquidity, min(p.In, p.Out), 0)
		add(from.Liquidity, p.To.ID(), p.Out, 1)
		add(p.From.ID(), from.Revenue, p.In-min(p.In, p.Out), 2)
	default:
		add(p.From.ID(), p.To.ID(), min(p.In, p.Out), 0)
		add(p.From.ID(), from.Revenue, p.In-min(p.In, p.Out), 1)
		add(from.Liquidity, p.To.ID(), p.Out-min(p.In, p.Out), 1)
	}
	return all, charged
}

func (m *model) postAmount(debit, credit ledger.ID, amount uint64) {
	m.totalsOf(debit).debits += amount
	m.totalsOf(credit).credits += amount
}

// bookPacket books a packet acknowledged as booked in time.
func (m *model) bookPacket(p *transfers.Packet) {
	all, _ := m.movements(p)
	for _, leg := range all {
		m.postAmount(leg.debit, leg.credit, leg.amount)
	}
}

// bookLatePacket books a packet acknowledged as late. collected is the amount that its correction
// collected of the sender's arrears, those of earlier packets included.
func (m *model) bookLatePacket(p *transfers.Packet, collected uint64) {
	all, _ := m.movements(p)
	for _, leg := range all {
		if leg.debit == p.From.ID() && !p.From.IsOwn() {
			leg.debit = m.arrears(p.From)
		}
		m.postAmount(leg.debit, leg.credit, leg.amount)
	}
	if !p.From.IsOwn() {
		m.postAmount(p.From.ID(), m.arrears(p.From), collected)
	}
}

// addModel adds the amounts of another model.
func (m *model) addModel(other *model) {
	for account, s := range other.posted {
		totals := m.totalsOf(account)
		totals.debits += s.debits
		totals.credits += s.credits
	}
}
