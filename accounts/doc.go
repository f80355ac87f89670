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
// Some debts must be booked although the peer account does not cover them: a late fulfill, for
// example, or a payment of the peer that came back. The arrears account takes the part that the peer account
// cannot pay (Balance.Arrears), and arrears are part of the receivable. The part of a payable
// that the peer paid in itself is prepaid (Balance.Prepaid). No account holds it: the Book works
// it out from the rows of payments. docs/money.md has the definitions, with examples.
//
// Whoever runs a connector changes lines (Book.ExtendCredit, RevokeCredit, SetCreditLine),
// stops peers (Suspend, Resume, ClosePeer, ReopenPeer), corrects books (Adjust), gives arrears
// up (WriteOff), moves capital (Fund, Withdraw), reads what happened (Statement, Compare) and who is there
// (Directory). All of it is in the ledger alone, and so are the conflicts between two who do
// it at once.
//
// The ledger enforces credit lines. The other Limits are enforced by recorders, each for
// itself: see there why.
package accounts
