package journal

import "github.com/peerledger/peerledger/export"

// chart has the account of each kind. The accounts of peers, and those of other programs, have one more
// part. Debits are positive: assets are above 0, and liabilities, equity and income below.
var chart = map[export.AccountKind]string{
	export.KindPeer:       "Liabilities:Peer",
	export.KindArrears:    "Assets:Arrears",
	export.KindSettlement: "Assets:Settlement",
	export.KindLiquidity:  "Equity:Liquidity",
	export.KindRevenue:    "Income:Revenue",
	export.KindDust:       "Income:Dust",
	export.KindSuspense:   "Liabilities:Suspense",
	export.KindOutside:    "Assets:Outside",
	export.KindControl:    "Equity:Control",
	export.KindTransit:    "Liabilities:Transit",
	export.KindOther:      "Equity:Other",
}

// openingAccount is the other side of the balances before the export.
const openingAccount = "Equity:Opening-Balances"

// accountNames returns the name of each account by its index, with a program's names of peers.
func accountNames(accounts []*export.Account, n naming) []string {
	names := make([]string, len(accounts))
	for i, a := range accounts {
		names[i] = chart[a.Kind]
		switch {
		case a.Peer != "":
			names[i] += ":" + n.peer(a.Peer)
		case !a.Hash.IsZero():
			names[i] += ":" + n.hash(a.Hash)
		}
	}
	return names
}
