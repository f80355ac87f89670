// Package prepayment works out what of a peer's money the peer has prepaid, from the rows
// that the ledger keeps of the peer's accounts.
//
// Four kinds of events change the position of a peer:
//
//	earn  packets to the peer
//	send  packets from the peer, debits by hand, payments of the peer that came back
//	in    payments of the peer, credits by hand, write-offs of what the peer owes
//	out   what we paid to the peer
//
// A packet from the peer uses its prepayment before it uses its earnings. So between two
// events of the kinds in and out only the sums of what was earned and sent matter, not their
// order, and the posted totals of the peer account give these sums. That is why only the
// rows that are not packets are read.
//
// Package accounts turns the result into a Balance.
package prepayment
