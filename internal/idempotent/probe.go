package idempotent

import (
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// probedFrom is the first attempt with a probe in front. Earlier attempts do without, since a key
// is hardly ever refused. Without probes a key could be used up: by a call repeated with a
// deadline that always ends between two attempts, or by a debit tried again and again on an
// account whose balance goes up and down.
const probedFrom = 8

// probeLength returns the number of transfers of the probe in front of an attempt.
func probeLength(attempt uint64) int {
	if attempt < probedFrom {
		return 0
	}
	return 2
}

// buildAttempt returns an attempt's transfers, behind the probe that a later attempt has.
func (r Request) buildAttempt(attempt uint64) []ledger.Transfer {
	rows := r.Build(attempt)
	return append(Probe(attempt, &rows[0]), rows...)
}

// Probe returns the probe for row, the first transfer of an attempt; none for an early attempt. The caller links
// the probe's transfers in front of the attempt's.
func Probe(attempt uint64, row *ledger.Transfer) []ledger.Transfer {
	if probeLength(attempt) == 0 {
		return nil
	}
	return buildProbe(row)
}

// buildProbe returns transfers that hold the amount of row and release it, under ids used
// nowhere else. If the ledger refuses the amount, the refused transfer is the probe: the
// ledger burns the probe's id and leaves the id of row free.
func buildProbe(row *ledger.Transfer) []ledger.Transfer {
	hold := ledger.Transfer{
		ID: chart.TimedID(time.Now()), DebitAccountID: row.DebitAccountID, CreditAccountID: row.CreditAccountID, Amount: row.Amount,
		Ledger: row.Ledger, Code: chart.CodeProbe,
		Flags: ledger.TransferPending | row.Flags&(ledger.TransferBalancingDebit|ledger.TransferBalancingCredit),
	}
	return []ledger.Transfer{hold, {ID: chart.TimedID(time.Now()), PendingID: hold.ID, Flags: ledger.TransferVoidPending}}
}
