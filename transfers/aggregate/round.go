package aggregate

import (
	"crypto/sha256"
	"encoding/binary"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// round is the sum of many packets, written as one chain. The journal has each attempt of a round
// before the ledger gets it, and the legs are a function of the journaled fields alone: after a
// crash the same legs are sent again.
type round struct {
	journal uint64 // the journal's number
	number  uint64 // from 1
	attempt uint32
	through uint64 // the number of the last fulfill in this round
	packets uint64
	digest  uint64 // of the packets' ids
	timeout uint32 // of new reservations, seconds
	senders []roundSender
	takes   []flow
	gives   []roundGive
}

// roundSender is what a round does with a sender.
type roundSender struct {
	account accounts.PeerAccount
	amount  ledger.Amount // charged for packets
	covered uint64        // part of amount that the posts of holds charge; arrears are charged the rest
	holds   []hold        // all are posted, in part or with 0
	renewed uint64        // amount of the new reservation, 0: none
	closed  bool          // the peer's account takes no collection
}

// roundGive is what a round credits to an account.
type roundGive struct {
	flow
	toSuspense bool // the receiver is closed
}

// legKind is the purpose of a leg.
type legKind uint8

const (
	legPost legKind = iota + 1
	legRenew
	legArrears
	legTake
	legGive
	legCollect
)

// legRef names the part of a round that a leg belongs to.
type legRef struct {
	kind  legKind
	index int // of round.senders, takes or gives
	hold  int // of roundSender.holds
}

// accountIDs finds ids of accounts by handle.
type accountIDs interface {
	PeerIDs(account accounts.PeerAccount) accounts.PeerIDs
	AssetIDs(ledgerNumber uint32) (accounts.AssetIDs, bool)
	Namespace() string
}

// arrears returns the part of the amount that the sender's reservations do not cover.
func (s *roundSender) arrears() ledger.Amount { return s.amount.SubFloor(ledger.NewAmount(s.covered)) }

// holdsTotal returns the sum of the sender's reservations in the round.
func (s *roundSender) holdsTotal() (sum uint64) {
	for _, h := range s.holds {
		sum += h.amount
	}
	return sum
}

// setFree returns what the posts of the sender's reservations set free.
func (s *roundSender) setFree() uint64 { return s.holdsTotal() - s.covered }

// dropHold takes a reservation out that the ledger no longer has. The new reservation shrinks
// to what the posts of the others set free.
func (s *roundSender) dropHold(id ledger.ID) {
	kept := s.holds[:0:0]
	for _, h := range s.holds {
		if h.id != id {
			kept = append(kept, h)
		}
	}
	s.holds = kept
	s.covered = min(s.covered, s.holdsTotal())
	s.renewed = min(s.renewed, s.setFree())
}

// legID returns the id of a leg. The low 4 bits are 0: other values mean a late packet of package
// transfers ([chart.HoldOfLate]).
func (r *round) legID(ids accountIDs, leg int) ledger.ID { return r.legIDIn(ids.Namespace(), leg) }

func (r *round) legIDIn(namespace string, leg int) ledger.ID {
	id := chart.Namespace(namespace).Derive("round",
		chart.U64(r.journal), chart.U64(r.number), chart.U32(r.attempt), chart.U32(uint32(leg)))
	id.Lo &^= 0xf
	return id
}

// legBuilder collects the legs of a round.
type legBuilder struct {
	round *round
	ids   accountIDs
	legs  []ledger.Transfer
	refs  []legRef
}

// buildLegs returns the chain of the round's attempt, and the purpose of each leg. First all is
// taken into transit, then all is given out of transit, and collections come last.
func (r *round) buildLegs(ids accountIDs) ([]ledger.Transfer, []legRef) {
	b := &legBuilder{round: r, ids: ids}
	for i := range r.senders {
		b.addSender(i)
	}
	for i, take := range r.takes {
		own, _ := ids.AssetIDs(take.party.ledger)
		b.addLeg(legRef{legTake, i, 0}, own.Liquidity, own.Transit, take.party.ledger, take.amount, chart.CodeRound)
	}
	for i := range r.gives {
		b.addGive(i)
	}
	for i := range r.senders {
		if s := &r.senders[i]; !s.closed && !s.arrears().IsZero() {
			peer := ids.PeerIDs(s.account)
			b.addTransfer(legRef{legCollect, i, 0}, chart.Collect(peer.Peer, peer.Arrears, s.account.Ledger()))
		}
	}
	if len(b.legs) > 0 {
		b.legs[0].UserData128 = r.sum()
		b.legs[len(b.legs)-1].Flags &^= ledger.TransferLinked
	}
	return b.legs, b.refs
}

// addTransfer adds a leg. user_data_64 has the journal's number and user_data_32 the round's, also of a post,
// which otherwise inherits the number of the round that made the reservation.
func (b *legBuilder) addTransfer(ref legRef, t ledger.Transfer) {
	t.ID = b.round.legID(b.ids, len(b.legs))
	t.Flags |= ledger.TransferLinked
	t.UserData64, t.UserData32 = b.round.journal, uint32(b.round.number)
	b.legs, b.refs = append(b.legs, t), append(b.refs, ref)
}

func (b *legBuilder) addLeg(ref legRef, debit, credit ledger.ID, number uint32, amount ledger.Amount, code uint16) {
	b.addTransfer(ref, ledger.Transfer{DebitAccountID: debit, CreditAccountID: credit, Ledger: number, Amount: amount, Code: code})
}

func (b *legBuilder) addSender(i int) {
	s := &b.round.senders[i]
	own, _ := b.ids.AssetIDs(s.account.Ledger())
	left := s.covered
	for n, h := range s.holds {
		posted := min(left, h.amount)
		left -= posted
		b.addTransfer(legRef{legPost, i, n}, ledger.Transfer{
			PendingID: h.id, Amount: ledger.NewAmount(posted), Flags: ledger.TransferPostPending,
		})
	}
	if s.renewed > 0 {
		b.addTransfer(legRef{legRenew, i, 0}, reservation(s.account.ID(), own.Transit, s.account.Ledger(), s.renewed, b.round.timeout))
	}
	if rest := s.arrears(); !rest.IsZero() {
		b.addLeg(legRef{legArrears, i, 0}, b.ids.PeerIDs(s.account).Arrears, own.Transit, s.account.Ledger(), rest, chart.CodeCorrection)
	}
}

// reservation returns the transfer of a reservation, still without id and user data.
func reservation(peer, transit ledger.ID, number uint32, amount uint64, timeout uint32) ledger.Transfer {
	return ledger.Transfer{
		DebitAccountID: peer, CreditAccountID: transit, Ledger: number, Amount: ledger.NewAmount(amount),
		Timeout: timeout, Code: chart.CodeReserve, Flags: ledger.TransferPending,
	}
}

// addGive adds the leg for a receiver. Suspense gets the amount of a closed receiver, with the
// receiver's account in user_data_128.
func (b *legBuilder) addGive(i int) {
	g := &b.round.gives[i]
	own, _ := b.ids.AssetIDs(g.party.ledger)
	credit, code := g.party.peer.ID(), chart.CodeRound
	switch g.party.kind {
	case partyPeer:
		if g.toSuspense {
			credit, code = own.Suspense, chart.CodeCorrection
		}
	case partyLiquidity:
		credit = own.Liquidity
	case partyRevenue:
		credit, code = own.Revenue, chart.CodeFee
	case partyDust:
		credit, code = own.Dust, chart.CodeDustLeg
	}
	b.addLeg(legRef{legGive, i, 0}, own.Transit, credit, g.party.ledger, g.amount, code)
	if g.toSuspense {
		b.legs[len(b.legs)-1].UserData128 = uint128.Uint128(g.party.peer.ID())
	}
}

// sum returns a hash of the attempt with its packets. The first leg carries the hash, so the ledger answers
// `exists` for that leg only if it has this very round.
func (r *round) sum() uint128.Uint128 {
	sum := sha256.Sum256(appendRound(nil, r))
	return uint128.New(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:]))
}
