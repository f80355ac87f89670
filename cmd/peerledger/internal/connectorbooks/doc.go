// Package connectorbooks reads the peers, credit lines, balances and settlement settings of two other connectors out of the
// answers of their own programming interfaces.
//
// [ParseRafiki] reads GraphQL answers of Rafiki's Backend Admin API, [ParseInterledgerRS] answers of the HTTP API of interledger-rs.
// Both return [Books]. The notes of the Books list each assumption, what the Books do not carry over, and what stands in the way of
// an import. A file that cannot be trusted is refused with a [FaultError], which names the file and the field.
//
// # Whose view
//
// A [Peer] has its Position as package accounts has it: above 0 we owe the peer.
//
// The balance of interledger-rs has the same sign, and is the sum of two stored numbers: what the peer has earned (which may be below 0), and what the peer has
// prepaid. A prepare is refused below min_balance, so the credit line is -min_balance. (interledger-store/src/redis/lua/process_prepare.lua, process_fulfill.lua and
// process_incoming_settlement.lua, and get_balance in redis/mod.rs, at commit 544b6db.)
//
// The liquidity of a peer in Rafiki is what the peer can still send: deposits raise it, packets from the peer and withdrawals lower it, packets to the
// peer raise it. Rafiki's guide calls it the credit line that is extended to a peer. So liquidity = credit line + position, and the liquidity alone does not tell the two apart.
// (backend/src/accounting/service.ts, accounting/tigerbeetle/accounts.ts, and docs overview/concepts/accounting, at commit 884c4bc.)
//
// The package does no input or output, and starts no goroutine. Its functions may run concurrently.
package connectorbooks
