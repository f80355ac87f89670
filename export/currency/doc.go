// Package currency computes the currency result of a period, so that a month can be closed: what we own in each asset at the beginning and at the end, valued at
// rates that the operator gives, what flowed in and out, and the gain.
//
// What we own in an asset is our liquidity, the fees (revenue) and the remainders of conversions (dust). Suspense is not
// counted: it holds money of closed peers. Each [Line] obeys
//
//	opening value + capital + by hand + packets + fees + dust + other + revaluation = closing value
//
// A flow is valued at the rate of its own moment. A change of a rate revalues what we own then. Both sides come from
// different figures, and [Compute] refuses a result that does not add up ([ErrSums]). The gain of the period is what packets, fees and
// dust have brought over all assets (trading: the margin between the rates of packets and the operator's rates), and the revaluation.
//
// The entries come from package export, which compares them with the ledger's balances. All arithmetic is exact. Only
// [Result.Round] rounds, once, at the end.
package currency
