package ledgertest

import (
	"math/rand/v2"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// The kinds of transfers of a history, in hundredths.
const (
	historyMoves = 40 // at once
	historyHolds = 70 // up to here: holds
	historyPosts = 88 // posts
	historyVoids = 96 // voids; the rest are moves with a fault
)

// The high halves of ids.
const (
	historyAccountHigh = 0xacc0
	historyAscending   = 0x7a50 // of every second transfer
	historyExpiring    = 0xe5b1
)

func historyAccountID(n uint64) ledger.ID { return ledger.NewID(n+1, historyAccountHigh) }

// historyID returns the id of transfer n: in ascending order, or anywhere.
func historyID(n uint64) ledger.ID {
	if n%2 == 0 {
		return ledger.NewID(n+1, historyAscending)
	}
	return ledger.NewID((n+1)*0x9e3779b97f4a7c15, (n+1)*0xd1342543de82ef95|1)
}

func expiringID(round, n uint64) ledger.ID { return ledger.NewID(round<<16|n+1, historyExpiring) }

// drawFirstAccounts draws accounts of all kinds: the first are free of limits.
func (h *history) drawFirstAccounts() []ledger.Account {
	accounts := h.drawAccounts(historyAccounts)
	for i := range accounts {
		flags := []ledger.AccountFlags{
			0, 0, 0, ledger.AccountDebitsMustNotExceedCredits, 0, ledger.AccountCreditsMustNotExceedDebits,
		}[i%6]
		if i < 8 || i%2 == 0 {
			flags |= ledger.AccountHistory
		}
		accounts[i] = ledger.Account{
			ID: historyAccountID(uint64(i)), Ledger: 1 + uint32(i/56), Code: 1 + uint16(i%3), UserData64: uint64(i % 5), Flags: flags,
		}
		if i < 8 {
			accounts[i].Flags = ledger.AccountHistory
		}
	}
	return accounts
}

// drawAccounts draws accounts: new ones, some of them with a fault, and some that were sent before.
func (h *history) drawAccounts(n int) []ledger.Account {
	accounts := make([]ledger.Account, n)
	for i := range accounts {
		if h.accounts > historyAccounts && h.random.IntN(3) == 0 {
			accounts[i] = h.account(h.random.Uint64N(h.accounts))
			continue
		}
		accounts[i] = h.account(h.accounts)
		h.accounts++
	}
	return accounts
}

// account returns account n, which depends on the seed and n alone.
func (h *history) account(n uint64) ledger.Account {
	r := rand.New(rand.NewPCG(h.Seed, 1<<62|n))
	return ledger.Account{
		ID: historyAccountID(n), Ledger: r.Uint32N(4), Code: uint16(r.IntN(4)),
		UserData128: uint128.From64(r.Uint64N(3)), UserData32: r.Uint32N(3),
		Flags: ledger.AccountFlags(r.Uint32N(64)) &^ ledger.AccountImported,
	}
}

// drawRequest draws a request: mostly new transfers, and some that were sent before.
func (h *history) drawRequest() []ledger.Transfer {
	events := make([]ledger.Transfer, 1+h.random.IntN(historyRequest))
	for i := range events {
		if h.next > 0 && h.random.IntN(12) == 0 {
			events[i] = h.transfer(h.drawNumber(h.next))
			if h.random.IntN(2) == 0 {
				h.changeField(&events[i])
			}
		} else {
			events[i] = h.transfer(h.next)
			h.next++
		}
		if h.random.IntN(16) == 0 {
			events[i].Flags |= ledger.TransferLinked
		}
	}
	return events
}

// drawNumber draws the number of a transfer before end: often a recent one, else one of any age.
func (h *history) drawNumber(end uint64) uint64 { return drawBefore(h.random, end) }

func drawBefore(random *rand.Rand, end uint64) uint64 {
	span := end
	switch random.IntN(4) {
	case 0, 1:
		span = min(end, 400)
	case 2:
		span = min(end, 20_000)
	}
	return end - 1 - random.Uint64N(span)
}

// transfer returns transfer n. It depends on the seed and n alone, so it can be sent again.
func (h *history) transfer(n uint64) ledger.Transfer {
	r := rand.New(rand.NewPCG(h.Seed, n))
	kind := r.IntN(100)
	t := ledger.Transfer{
		ID: historyID(n), DebitAccountID: drawAccount(r), CreditAccountID: drawAccount(r), Amount: ledger.NewAmount(r.Uint64N(50)),
		UserData64: r.Uint64N(4) * r.Uint64N(1000), UserData32: r.Uint32N(3) * r.Uint32N(50), UserData128: uint128.From64(r.Uint64N(2) * r.Uint64N(5000)),
		Ledger: 1, Code: 1 + uint16(r.IntN(4)),
	}
	switch {
	case kind < historyMoves:
		if r.IntN(8) == 0 {
			t.Flags |= []ledger.TransferFlags{ledger.TransferBalancingDebit, ledger.TransferBalancingCredit}[r.IntN(2)]
		}
	case kind < historyHolds:
		t.Flags = ledger.TransferPending
		if r.IntN(4) == 0 {
			t.Timeout = historyTimeout
		}
	case kind < historyVoids:
		t = h.endOfHold(r, n, kind < historyPosts)
	default:
		addFault(r, &t)
	}
	return t
}

// isHold reports whether transfer n is a hold.
func (h *history) isHold(n uint64) bool {
	kind := rand.New(rand.NewPCG(h.Seed, n)).IntN(100)
	return historyMoves <= kind && kind < historyHolds
}

// endOfHold draws a post or void of an earlier hold, or at times of another transfer.
func (h *history) endOfHold(r *rand.Rand, n uint64, post bool) ledger.Transfer {
	t := ledger.Transfer{ID: historyID(n), Flags: ledger.TransferVoidPending}
	if post {
		t.Flags, t.Amount = ledger.TransferPostPending, ledger.AmountMax
		if r.IntN(3) == 0 {
			t.Amount = ledger.NewAmount(r.Uint64N(50))
		}
	}
	if r.IntN(30) == 0 {
		t.PendingID = expiringID(r.Uint64N(4), r.Uint64N(30))
		return t
	}
	if n == 0 {
		return t
	}
	hold := drawBefore(r, n)
	for range 5 {
		if h.isHold(hold) {
			break
		}
		hold = drawBefore(r, n)
	}
	t.PendingID = historyID(hold)
	switch r.IntN(40) {
	case 0, 1, 2:
		t.UserData64, t.Code = 1+r.Uint64N(3), uint16(r.IntN(3))
	case 3:
		t.DebitAccountID = drawAccount(r)
	case 4:
		t.CreditAccountID = drawAccount(r)
	case 5:
		t.Ledger = 1 + r.Uint32N(2)
	}
	return t
}

// drawAccount draws an account: often one of the first eight, and at times one that does not exist.
func drawAccount(r *rand.Rand) ledger.ID {
	switch r.IntN(40) {
	case 0:
		return historyAccountID(r.Uint64N(3 * historyAccounts))
	case 1:
		return ledger.NewID(r.Uint64N(2), r.Uint64N(3))
	}
	if r.IntN(2) == 0 {
		return historyAccountID(r.Uint64N(8))
	}
	return historyAccountID(r.Uint64N(historyAccounts))
}

// addFault makes a transfer that some rule refuses, or one that closes an account.
func addFault(r *rand.Rand, t *ledger.Transfer) {
	switch r.IntN(12) {
	case 0:
		t.ID = ledger.ID{}
	case 1:
		t.ID = ledger.IDMax
	case 2:
		t.CreditAccountID = t.DebitAccountID
	case 3:
		t.Ledger = r.Uint32N(4)
	case 4:
		t.Code = 0
	case 5:
		t.Flags = ledger.TransferFlags(r.Uint32N(1<<16)) &^ ledger.TransferImported
	case 6:
		t.Timestamp = r.Uint64N(2)
	case 7:
		t.PendingID = historyID(r.Uint64N(10))
	case 8:
		t.Timeout = historyTimeout // a changed repeat may be a hold
	case 9:
		t.Amount = ledger.AmountMax
	case 10:
		t.Flags = ledger.TransferPostPending | ledger.TransferVoidPending
	default:
		t.DebitAccountID = historyAccountID(historyAccounts - 1 - r.Uint64N(4))
		t.CreditAccountID = historyAccountID(historyAccounts - 5 - r.Uint64N(2))
		t.Ledger, t.Flags = 2, ledger.TransferPending|ledger.TransferClosingDebit
	}
}

// changeField changes one field of a transfer that was sent before.
func (h *history) changeField(t *ledger.Transfer) {
	switch h.random.IntN(11) {
	case 9:
		t.Timeout += historyTimeout // the first one may have been refused, and this one is the hold
	case 10:
		t.Ledger++
	case 0:
		t.DebitAccountID = drawAccount(h.random)
	case 1:
		t.CreditAccountID = drawAccount(h.random)
	case 2:
		t.Amount = ledger.NewAmount(h.random.Uint64N(60))
	case 3:
		t.PendingID = historyID(h.drawNumber(h.next))
	case 4:
		t.UserData128 = t.UserData128.AddWrap64(1)
	case 5:
		t.UserData64++
	case 6:
		t.UserData32++
	case 7:
		t.Code++
	default:
		t.Flags ^= ledger.TransferPending
	}
}

// historyTimeout is a timeout in seconds that ends after the run. A hold that expired during the run would do so at
// another moment on each ledger.
const historyTimeout = 1_000_000

// drawExpiringHolds draws holds that expire after a second, and ends of some of them in the same
// request: nothing expires in between.
func (h *history) drawExpiringHolds() []ledger.Transfer {
	var events []ledger.Transfer
	const holds = 30
	for i := range uint64(holds) {
		events = append(events, ledger.Transfer{
			ID: expiringID(h.expired, i), DebitAccountID: historyAccountID(h.random.Uint64N(8)),
			CreditAccountID: historyAccountID(8 + h.random.Uint64N(40)), Amount: ledger.NewAmount(1 + h.random.Uint64N(9)),
			Ledger: 1, Code: 3, Flags: ledger.TransferPending, Timeout: 1,
		})
	}
	for i := range uint64(holds / 3) {
		end := ledger.Transfer{ID: expiringID(h.expired, holds+i), PendingID: events[3*i].ID, Flags: ledger.TransferVoidPending}
		if i%2 == 0 {
			end.Flags, end.Amount = ledger.TransferPostPending, ledger.AmountMax
		}
		events = append(events, end)
	}
	return events
}
