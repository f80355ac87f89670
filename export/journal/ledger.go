package journal

import (
	"io"
	"math"
	"math/big"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// Hledger returns the format of hledger's journals. ledger reads them too, up to the scale of 250.
func Hledger() export.Format { return ledgerFormat("hledger", math.MaxUint8) }

// Ledger returns the format of ledger's journals. ledger takes at most 255 characters a number, so Begin
// refuses a scale above 250 with an [UnsupportedError].
func Ledger() export.Format { return ledgerFormat("ledger", 250) }

func ledgerFormat(name string, maxScale uint8) export.Format {
	n := naming{format: name, peer: LedgerAccount, hash: ledgerHash, commodity: LedgerCommodity, maxScale: maxScale}
	return export.Format{Name: name, Extension: "." + name, NewWriter: func(w io.Writer) export.Writer {
		return &ledgerWriter{output: output{to: w}, naming: n}
	}}
}

// ledgerWriter writes journals of hledger and ledger: every posting of an account is followed by the
// balance after it, which both programs check. hledger does so by date and then by place in the file, ledger by
// place alone: entries come in the order of their time.
//
// ledger takes 4096 characters a line. An id of 1023 bytes, a code of 32 and two numbers of 255 stay below 4000.
type ledgerWriter struct {
	output
	naming      naming
	header      *export.Header
	accounts    []string          // by index
	commodities map[uint32]string // by ledger number, in quotes
	touched     []bool            // by index: the accounts that the file has posted to
}

func (w *ledgerWriter) Begin(h *export.Header) error {
	commodities, err := w.naming.commodities(h.Assets)
	if err != nil {
		return err
	}
	w.header, w.commodities, w.touched = h, commodities, make([]bool, len(h.Accounts))
	w.accounts = accountNames(h.Accounts, w.naming)
	addTitle(&w.output, h)
	for _, a := range h.Assets {
		commodities[a.Ledger] = `"` + commodities[a.Ledger] + `"`
		w.declareCommodity(a)
	}
	w.add("\n")
	for _, key := range detailKeys {
		w.add("tag ", key, "\n")
	}
	for i, a := range h.Accounts {
		if a.New {
			w.add("account ", w.accounts[i], "\n")
		}
	}
	if h.Part == 1 {
		w.add("account ", openingAccount, "\n")
		w.writeOpening()
	}
	return w.writeAll()
}

// declareCommodity fixes the decimal mark and the decimals. Without decimals there is no directive that both
// programs take: hledger wants "0." and ledger refuses it. The number of decimals is 0 then by the amounts.
func (w *ledgerWriter) declareCommodity(a export.Asset) {
	commodity := w.commodities[a.Ledger]
	w.add("\ncommodity ", commodity, "\n")
	if a.Scale > 0 {
		w.add("    format ", amountText(export.Balance{}, a.Scale), " ", commodity, "\n")
	}
}

// writeOpening books the balances before the export, of each asset in one entry.
func (w *ledgerWriter) writeOpening() {
	for _, asset := range w.header.Assets {
		sum, titled := new(big.Int), false
		for i, a := range w.header.Accounts {
			balance := w.header.Opening[i]
			if a.Asset != asset.Asset || a.Partial || balance.IsZero() {
				continue
			}
			if !titled {
				w.add("\n", dayOfTime(w.header.From).String(), " * opening balances\n")
			}
			titled = true
			w.post(a, balance, balance)
			sum.Add(sum, balance.Big())
		}
		if sum.Sign() != 0 {
			w.add("    ", openingAccount, "  ", bigText(sum.Neg(sum), asset.Scale), " ", w.commodities[asset.Ledger], "\n")
		}
	}
}

func (w *ledgerWriter) Write(e *export.Entry) error {
	w.add("\n", dayOf(e.Time).String(), " * ")
	if !e.Transfer.IsZero() {
		w.add("(", e.Transfer.String(), ") ")
	}
	w.add(string(e.Kind), "\n")
	eachDetail(e, func(key, value string) { w.add("    ; ", key, ": ", value, "\n") })
	w.post(e.Debit, debit(e.Amount), e.DebitBalance)
	w.post(e.Credit, credit(e.Amount), e.CreditBalance)
	return w.writeFull()
}

// post adds a posting with the balance after it, unless that is unknown.
func (w *ledgerWriter) post(a *export.Account, amount, balance export.Balance) {
	w.touched[a.Index] = true
	commodity := w.commodities[a.Asset.Ledger]
	w.add("    ", w.accounts[a.Index], "  ", amountText(amount, a.Asset.Scale), " ", commodity)
	if !a.Partial {
		w.add(" = ", amountText(balance, a.Asset.Scale), " ", commodity)
	}
	w.add("\n")
}

// End writes the closing balances as an entry that moves nothing.
func (w *ledgerWriter) End(s *export.Summary) error {
	last := max(dayOf(w.header.Last), dayOfTime(w.header.From)).String()
	for _, asset := range w.header.Assets {
		titled := false
		for i, a := range w.header.Accounts {
			if a.Asset != asset.Asset || a.Partial || s.Closing[i].IsZero() && !w.touched[i] {
				continue
			}
			if !titled {
				w.add("\n", last, " * closing balances\n")
			}
			titled = true
			w.post(a, export.Balance{}, s.Closing[i])
		}
	}
	addTotals(&w.output, w.header, s)
	return w.writeAll()
}

func debit(amount ledger.Amount) export.Balance { return export.Balance{Units: amount} }
func credit(amount ledger.Amount) export.Balance {
	return export.Balance{Units: amount, Negative: !amount.IsZero()}
}
