// Package fulfilllog names the format and the kinds of records of a journal of single packets, for the package
// that writes the journal (transfers) and for backups, which read no more than the kinds.
//
// The numbers are on the disks of users. Another meaning of a number needs another format.
package fulfilllog

import "github.com/peerledger/peerledger/internal/wal"

// Version is the version of the records.
const Version = 1

// Format is the format of the journal. Format 2 is of a journal of rounds (package packetlog).
var Format = wal.Format{Name: "journal", Newest: Version, Oldest: 1}

// The kinds of records. The first record of a folder is KindOwner.
const (
	KindOwner   uint8 = iota + 1
	KindFulfill       // pending from here on
	KindRefused       // no longer pending
)
