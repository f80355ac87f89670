// Package accounts keeps the accounts of peers: the ledger number of each asset, the four
// accounts of each peer in each asset, the peers' credit lines, and the balances.
//
// A peer's position in an asset is payable if we owe the peer, and receivable if the peer owes
// us. It is kept in one ledger account that may not be debited beyond its credits
// (debits_must_not_exceed_credits). Granting a credit line of n moves n from the peer's line
// account to the peer account. So the ledger itself refuses a packet that would take the peer
// below its line, atomically and for any number of connectors. The position is the account's
// balance less the line.
//
// Some debts must be booked although the peer account does not cover them: a late fulfill, for
// example, or a returned payment of the peer. The arrears account takes the part that the peer
// account cannot pay ([Balance.Arrears]), and arrears are part of the receivable. The part of a
// payable that the peer paid in itself is prepaid ([Balance.Prepaid]). No account holds it: the
// [Book] computes it from the rows of payments. docs/money.md has the definitions, with examples.
//
// Operators change credit lines ([Book.ExtendCredit], [Book.RevokeCredit], [Book.SetCreditLine]),
// stop peers ([Book.SuspendPeer], [Book.ResumePeer], [Book.ClosePeer], [Book.ReopenPeer]), correct books
// ([Book.Adjust]), give up arrears ([Book.WriteOff]), move capital ([Book.Fund],
// [Book.Withdraw]), and read statements ([Book.Statement], [Compare]) and peers ([Book.Peers]).
// All state is in the ledger, and the ledger decides conflicts between operators.
//
// The ledger enforces credit lines. Each recorder enforces the other [Limits] for itself; their
// comment has the reason.
package accounts
