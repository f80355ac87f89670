// Package vsr identifies TigerBeetle's replicas: on the wire, with the ping of every client
// ([Ping]), and on disk, from the superblock of a data file ([ReadSuperblock]).
//
// It knows no other part of the protocol, and writes nothing. Offsets and rules are from
// TigerBeetle 0.17.9 (src/vsr/message_header.zig, superblock.zig, checksum.zig). Bytes count only
// if their checksum holds.
package vsr
