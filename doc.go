// Package peerledger keeps the books of an Interledger connector on TigerBeetle.
//
// A connector forwards ILP packets between peers, and each packet changes what it
// and two peers owe each other. peerledger provisions the peers' accounts
// (package accounts), records packets in batches as two-phase double entry
// (package transfers), and pays a peer when what is owed crosses a threshold
// (package settlement). A Client wires the three together over one ledger
// (package ledger): the embedded one, a TigerBeetle cluster (package ledger/cluster), or any
// other with TigerBeetle's rules.
//
// Begin with OpenEmbedded and Client.Provision; prepare a packet with
// Client.Recorder before forwarding it, and fulfill or reject it when its answer
// has come.
package peerledger
