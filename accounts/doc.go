// Package accounts keeps the accounts of peers: which asset is on which ledger
// number, the three accounts of each peer in each asset, the credit line that
// the peer was granted, and the balances.
//
// A peer's position in an asset is what stands between us: payable if we owe the
// peer, receivable if it owes us. It is kept in one account that may not be
// debited beyond its credits (debits_must_not_exceed_credits). Granting a credit
// line of n moves n from the peer's line account to it, so that the ledger itself
// refuses the packet that would take the peer below its line, atomically and for
// any number of connectors. The position is what is left when the line is taken
// off again.
package accounts
