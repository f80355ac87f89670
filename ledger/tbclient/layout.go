//go:build cgo

package tbclient

import "unsafe"

// rows is the slice read as the other package's type, without a copy, so that the
// same memory has two types. This is sound since both have one layout without
// pointers, which ledger/layout_test.go asserts for the records and this package's
// tests for the ids.
//
// An id of TigerBeetle's is an array of bytes and may lie at an odd address, where
// ledger.ID would not. All machines that TigerBeetle's client runs on (amd64, arm64)
// read a 64-bit word at any address.
func rows[To, From any](from []From) []To {
	return unsafe.Slice((*To)(unsafe.Pointer(unsafe.SliceData(from))), len(from))
}

// row is a copy of the record as the other package's type, of the same layout.
func row[To, From any](from From) To { return *(*To)(unsafe.Pointer(&from)) }
