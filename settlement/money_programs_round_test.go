package settlement_test

import (
	"context"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// tradeInRound books packets from one side to the other by a round, as package aggregate does: from a reservation,
// or else from the sender's arrears.
func (p *program) tradeInRound() {
	from, to := pickRandom(p, []*programPeer{nil, p.peers[0], p.peers[1]}), pickRandom(p, p.peers)
	if p.rollChance(30) {
		from, to = to, from
	}
	n := uint64(1 + p.random.IntN(60))
	own, _ := p.observer.AssetIDs(usd.Ledger)
	var chain []ledger.Transfer
	cause := "nothing"
	switch {
	case from == nil:
		chain = append(chain, p.roundRow(own.Liquidity, own.Transit, n, chart.CodeRound))
	case p.rollChance(50):
		if reserved := p.reserve(from, n+p.random.Uint64N(20)); !reserved.IsZero() {
			post := ledger.Transfer{ID: p.roundID(), PendingID: reserved, Amount: units(n), Flags: ledger.TransferPostPending}
			chain = append(chain, post)
			break
		}
		fallthrough
	default:
		cause = "late"
		chain = append(chain, p.roundRow(from.ids.Arrears, own.Transit, n, chart.CodeCorrection))
	}
	give := p.roundRow(own.Transit, own.Liquidity, n, chart.CodeRound)
	switch {
	case to == nil:
	case to.closed:
		give.CreditAccountID, give.Code, give.UserData128 = own.Suspense, chart.CodeCorrection, ledgerValue(to.ids.Peer)
	default:
		give.CreditAccountID = to.ids.Peer
	}
	chain = append(chain, give)
	if cause == "late" && !from.closed {
		collect := chart.Collect(from.ids.Peer, from.ids.Arrears, usd.Ledger)
		collect.ID = p.roundID()
		chain = append(chain, collect)
	}
	if !p.writeRound(chain) {
		p.reportFault("a round is refused")
	}
	p.logLine("a round takes %d from %s to %s", n, from.displayName(), to.displayName())
	p.applyRound(from, to, int64(n), &give)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checkInvariants(cause)
}

// applyRound adds a round to the model.
func (p *program) applyRound(from, to *programPeer, n int64, give *ledger.Transfer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if from != nil {
		from.addSent(n)
	}
	switch {
	case to == nil:
	case to.closed:
		p.suspense += n
		to.suspenseRows[give.ID] = &suspenseRow{amount: n, earned: true}
	default:
		to.addEarned(n)
	}
}

// reserve reserves a part of a peer's headroom; zero if the ledger refuses.
func (p *program) reserve(s *programPeer, n uint64) ledger.ID {
	own, _ := p.observer.AssetIDs(usd.Ledger)
	row := p.roundRow(s.ids.Peer, own.Transit, n, chart.CodeReserve)
	row.Flags, row.Timeout = ledger.TransferPending, 60
	if !p.writeRound([]ledger.Transfer{row}) {
		return ledger.ID{}
	}
	return row.ID
}

func (p *program) writeRound(chain []ledger.Transfer) bool {
	for i := range chain[:len(chain)-1] {
		chain[i].Flags |= ledger.TransferLinked
	}
	results, err := p.ledger.CreateTransfers(context.Background(), chain)
	p.checkError(err)
	return ledger.ChainOutcome(results).Outcome.Done()
}

func (p *program) roundRow(debit, credit ledger.ID, n uint64, code uint16) ledger.Transfer {
	return ledger.Transfer{
		ID: p.roundID(), DebitAccountID: debit, CreditAccountID: credit, Amount: units(n), Ledger: usd.Ledger, Code: code, UserData64: 1, UserData32: 1,
	}
}

// roundID returns a fresh id. Its low 4 bits are 0, as in each id of a round.
func (p *program) roundID() ledger.ID {
	return ledger.NewID(p.random.Uint64()&^0xf, p.random.Uint64()|1)
}
