package journal

import (
	"io"
	"math"
	"slices"
	"strings"

	"github.com/peerledger/peerledger/export"
)

// Beancount2 returns the format of beancount 2's ledgers. Begin refuses an asset whose commodity would have
// more than 24 characters with an [UnsupportedError].
func Beancount2() export.Format { return beancountFormat("beancount2") }

// Beancount3 returns the format of beancount 3's ledgers, which is the same as of [Beancount2].
func Beancount3() export.Format { return beancountFormat("beancount3") }

func beancountFormat(name string) export.Format {
	n := naming{
		format: name, peer: BeancountAccount, hash: beancountHash, commodity: BeancountCommodity, maxScale: math.MaxUint8,
		longest: highCommodity, maxLength: maxBeancountCommodity,
	}
	return export.Format{Name: name, Extension: ".beancount", NewWriter: func(w io.Writer) export.Writer {
		return &beancountWriter{output: output{to: w}, naming: n}
	}}
}

// beancountWriter writes ledgers of beancount. Beancount checks balances at the start of a day. So each day
// ends with the balances of the accounts that it touched, for the day after.
type beancountWriter struct {
	output
	naming   naming
	header   *export.Header
	accounts []string // by index
	assets   map[uint32]beancountAsset

	today    day // of the newest entry
	hasToday bool
	balances []export.Balance // by index
	sums     []limbSums       // by index, of assets in limbs
	touched  map[int]bool     // indexes of the accounts with postings that no balance directive follows yet
}

type beancountAsset struct {
	commodity string
	high      string // of the high limbs; "" without limbs
	scale     uint8
}

func (w *beancountWriter) Begin(h *export.Header) error {
	commodities, err := w.naming.commodities(h.Assets)
	if err != nil {
		return err
	}
	w.header, w.accounts = h, accountNames(h.Accounts, w.naming)
	w.assets, w.touched = make(map[uint32]beancountAsset, len(h.Assets)), map[int]bool{}
	w.balances = slices.Clone(h.Opening)
	w.sums = make([]limbSums, len(h.Accounts))
	addTitle(&w.output, h)
	for _, a := range h.Assets {
		w.declareAsset(a, commodities[a.Ledger])
	}
	w.add("\n")
	w.declareAccounts()
	w.openAccounts()
	return w.writeAll()
}

// declareAsset adds the commodities of an asset that no earlier part has: beancount refuses a second declaration.
func (w *beancountWriter) declareAsset(a export.Asset, commodity string) {
	asset := beancountAsset{commodity: commodity, scale: a.Scale}
	if a.BoundBefore == nil {
		w.addf("\n%v commodity %s\n  code: %s\n  scale: %d\n", day(0), commodity, quote(a.Code), a.Scale)
	}
	if needsLimbs(a.Bound) {
		asset.high = highCommodity(commodity, a.Scale)
		if !needsLimbs(a.BoundBefore) {
			w.addf("\n%v commodity %s\n  worth: \"10000000000000000000 units of %s\"\n", day(0), asset.high, commodity)
		}
	}
	w.assets[a.Ledger] = asset
}

// declareAccounts opens the accounts that no earlier part has, on the first day of all. A peer with two assets
// has one account.
func (w *beancountWriter) declareAccounts() {
	opened := map[string]bool{}
	for i, a := range w.header.Accounts {
		if !a.New {
			opened[w.accounts[i]] = true
		}
	}
	for i, a := range w.header.Accounts {
		if opened[w.accounts[i]] {
			continue
		}
		opened[w.accounts[i]] = true
		w.addf("%v open %s\n", day(0), w.accounts[i])
		if a.Peer != "" {
			w.addf("  peer: %s\n", quote(a.Peer))
		}
	}
	if w.header.Part == 1 {
		w.addf("%v open %s\n%v open %s\n", day(0), openingAccount, day(0), limbsAccount)
	}
}

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

func quote(text string) string { return `"` + quoter.Replace(text) + `"` }
