// Package packetlog has the packets and rounds of a journal of rounds (package transfers/aggregate) as
// readers of the journal see them.
//
// A journal is a log of package wal. This package encodes and decodes the records that name packets,
// parties and applied rounds. All other kinds belong to package aggregate.
package packetlog
