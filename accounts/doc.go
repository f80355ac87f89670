// Package accounts keeps the accounts of peers: which asset is on which ledger
// number, the four accounts of each peer in each asset, the credit line that
// the peer was granted, and the balances.
//
// A peer's position in an asset is what stands between us: payable if we owe the
// peer, receivable if it owes us. It is kept in one account that may not be
// debited beyond its credits (debits_must_not_exceed_credits). Granting a credit
// line of n moves n from the peer's line account to it, so that the ledger itself
// refuses the packet that would take the peer below its line, atomically and for
// any number of connectors. The position is what is left when the line is taken
// off again.
//
// Whoever runs a connector changes lines (Book.ExtendCredit, RevokeCredit, SetCreditLine),
// stops peers (Suspend, Resume, ClosePeer, ReopenPeer), corrects books (Adjust), moves
// capital (Fund, Withdraw), reads what happened (Statement, Compare) and who is there
// (Directory). All of it is in the ledger alone, and so are the conflicts between two who do
// it at once.
//
// The ledger enforces credit lines. The other Limits are enforced by recorders, each for
// itself: see there why.
package accounts
