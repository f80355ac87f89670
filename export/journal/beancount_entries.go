package journal

import (
	"maps"
	"math/big"
	"slices"

	"github.com/peerledger/peerledger/export"
)

// openAccounts books the opening balances in the first part. A later part goes on from them: it checks each account
// once at the end of its first day, because the part before may have ended within a day.
func (w *beancountWriter) openAccounts() {
	if w.header.Part == 1 {
		w.today, w.hasToday = dayOfTime(w.header.From), true
	}
	for _, asset := range w.header.Assets {
		titled := false
		for i, a := range w.header.Accounts {
			if a.Asset != asset.Asset || a.Partial {
				continue
			}
			balance := w.header.Opening[i]
			w.initSums(i, asset)
			if w.header.Part > 1 {
				w.touched[i] = !a.New
				continue
			}
			if balance.IsZero() {
				continue
			}
			if !titled {
				w.addf("\n%v * \"opening balances\"\n", w.today)
			}
			titled = true
			w.post(w.accounts[i], asset.Ledger, balance)
			w.post(openingAccount, asset.Ledger, negate(balance))
			w.touched[i] = true
		}
	}
}

// initSums sets the limbs that the account has in the books so far: those of its opening balance, or the whole as
// the low limb if the part before had plain amounts.
func (w *beancountWriter) initSums(i int, asset export.Asset) {
	switch opening := w.header.Opening[i]; {
	case w.assets[asset.Ledger].high == "":
	case w.header.Part > 1 && !needsLimbs(asset.BoundBefore):
		w.sums[i] = limbSums{new(big.Int), opening.Big()}
	default:
		w.sums[i] = newLimbSums(opening)
	}
}

func (w *beancountWriter) Write(e *export.Entry) error {
	today := dayOf(e.Time)
	if w.hasToday && today > w.today {
		w.endDay()
	}
	w.today, w.hasToday = today, true
	w.addf("\n%v * %q", today, string(e.Kind))
	if !e.Transfer.IsZero() {
		w.add(" ^", e.Transfer.String())
	}
	w.add("\n")
	eachDetail(e, func(key, value string) { w.add("  ", key, `: "`, value, "\"\n") })
	w.move(e.Debit, debit(e.Amount), e.DebitBalance)
	w.move(e.Credit, credit(e.Amount), e.CreditBalance)
	return w.writeFull()
}

// move posts an amount of an entry. A balance that is unknown is not checked, and its limbs need no carry.
func (w *beancountWriter) move(a *export.Account, amount, balance export.Balance) {
	w.post(w.accounts[a.Index], a.Asset.Ledger, amount)
	if a.Partial {
		return
	}
	w.balances[a.Index] = balance
	w.touched[a.Index] = true
	if w.assets[a.Asset.Ledger].high != "" {
		w.sums[a.Index].add(amount)
	}
}

// post adds the postings of an amount: one, or one for each limb with the amount beside them.
func (w *beancountWriter) post(account string, ledgerNumber uint32, amount export.Balance) {
	asset := w.assets[ledgerNumber]
	high, low := export.Balance{}, amount
	if asset.high != "" {
		high, low = splitLimbs(amount)
	}
	w.add("  ", account, "  ", amountText(low, asset.scale), " ", asset.commodity, "\n")
	if !high.IsZero() {
		w.add("    units: \"", amount.String(), "\"\n")
		w.add("  ", account, "  ", high.String(), " ", asset.high, "\n")
	}
}

// endDay has the balances of the day's accounts checked at the start of the next day.
func (w *beancountWriter) endDay() {
	w.carryLimbs()
	w.add("\n")
	for _, i := range slices.Sorted(maps.Keys(w.touched)) {
		w.check(i, w.today+1)
	}
	clear(w.touched)
}

// carryLimbs makes the limbs of the day's accounts those of their balances: a day's sums of low limbs may be
// more than a limb, or have the other sign. So a balance directive shows the limbs of the balance, and a later
// part knows what the books have.
func (w *beancountWriter) carryLimbs() {
	for _, i := range slices.Sorted(maps.Keys(w.touched)) {
		asset := w.assets[w.header.Accounts[i].Asset.Ledger]
		if asset.high == "" {
			continue
		}
		high, low := w.sums[i].carry(w.balances[i])
		if high.Sign() == 0 {
			continue
		}
		w.addf("\n%v * \"limbs\"\n", w.today)
		for _, leg := range []struct {
			account string
			sign    int64
		}{{w.accounts[i], 1}, {limbsAccount, -1}} {
			sign := big.NewInt(leg.sign)
			w.add("  ", leg.account, "  ", bigText(new(big.Int).Mul(low, sign), asset.scale), " ", asset.commodity, "\n")
			w.add("  ", leg.account, "  ", new(big.Int).Mul(high, sign).String(), " ", asset.high, "\n")
		}
	}
}

// check adds the balance directives of an account, for the start of a day.
func (w *beancountWriter) check(i int, at day) {
	asset := w.assets[w.header.Accounts[i].Asset.Ledger]
	low := w.balances[i]
	if asset.high != "" {
		var high export.Balance
		high, low = splitLimbs(w.balances[i])
		w.addf("%v balance %s  %v ~ 0 %s\n", at, w.accounts[i], high, asset.high)
	}
	w.addf("%v balance %s  %s ~ 0 %s\n", at, w.accounts[i], amountText(low, asset.scale), asset.commodity)
}

// End has all closing balances checked at the end of the last day. If a later part may have entries of the
// last day, that part does so.
func (w *beancountWriter) End(s *export.Summary) error {
	last := dayOf(w.header.Last)
	if w.hasToday && w.today < last {
		w.endDay()
	}
	w.today = max(w.today, last)
	w.carryLimbs()
	if w.header.DayComplete {
		w.add("\n")
		for i, closing := range s.Closing {
			if !w.header.Accounts[i].Partial && (w.touched[i] || !closing.IsZero()) {
				w.check(i, w.today+1)
			}
		}
	}
	addTotals(&w.output, w.header, s)
	return w.writeAll()
}

func negate(b export.Balance) export.Balance { return signed(b.Units, !b.Negative) }
