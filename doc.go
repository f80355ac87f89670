// Package peerledger keeps the books of an Interledger connector on TigerBeetle.
//
// A connector forwards ILP packets between peers. Each packet changes the balances between the
// connector and two peers. A [Client] records these changes as double entries in a [ledger.Ledger],
// and pays a peer when the amount owed crosses a threshold.
//
// # First steps
//
//  1. Open a client: [OpenEmbedded] in memory, or [New] over any ledger.
//  2. Create the accounts of the peers: [Client.Provision].
//  3. Before forwarding a packet, hold its amounts: Prepare of [Client.Recorder].
//  4. After the answer, post or void them: Fulfill or Reject ([transfers.PacketRecorder]).
//  5. At the end: [Client.Close].
//
// # Packages
//
//   - [accounts]: assets, peers, credit lines, balances, statements ([Client.Book])
//   - [transfers]: packets, recorded in batches ([Client.Recorder])
//   - [aggregate]: the same, recorded in rounds ([Config.Rounds])
//   - [settlement]: policies, orders, payments ([Client.Settlement])
//   - [ledger]: the Ledger interface, with the types and errors that its implementations share
//   - [embedded]: a ledger in the process, in memory or in a folder
//   - [github.com/peerledger/peerledger/ledger/cluster]: a TigerBeetle cluster
//   - [github.com/peerledger/peerledger/monitoring]: metrics for Prometheus
//   - [github.com/peerledger/peerledger/console]: pages for operators
//
// README.md has a first program. The operator's command is cmd/peerledger, with the guides
// docs/operations.md and docs/money.md.
package peerledger
