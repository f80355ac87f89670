// Package vsr has the messages between TigerBeetle's clients and replicas, with their checksums
// ([Header], [Request], [Reply]), and identifies replicas: on the wire, with the ping of every
// client ([PingReplica]), and on disk, from the superblock of a data file ([ReadSuperblock]).
//
// Offsets and rules are from TigerBeetle 0.17.9 (src/vsr/message_header.zig, superblock.zig,
// checksum.zig). Bytes count only if their checksum holds. Package ledger/server has the rules of
// sessions and the bodies of requests.
package vsr
