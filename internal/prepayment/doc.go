// Package prepayment computes a peer's prepayment from the ledger's rows of the peer's accounts:
// the part of the peer's money that the peer has prepaid.
//
// Four kinds of events change the position of a peer:
//
//	earn  packets to the peer
//	send  packets from the peer, debits by hand, returned payments of the peer
//	in    payments of the peer, credits by hand, write-offs of the peer's debt
//	out   our payments to the peer
//
// A packet from the peer uses its prepayment before its earnings. So between two events of the
// kinds in and out only the sums of earned and sent amounts matter, not their order, and the posted
// totals of the peer account give these sums. Therefore only the rows of other transfers than
// packets are read.
//
// Package accounts turns the result into a Balance.
package prepayment
