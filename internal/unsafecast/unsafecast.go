// Package unsafecast reads the records of one package as records of another package with the same
// layout in memory. The records of package ledger and of tigerbeetle-go have one layout without
// pointers; ledger/layout_test.go asserts the layout.
package unsafecast

import "unsafe"

// Slice returns the same memory as a slice of another record type, without a copy.
func Slice[To, From any](from []From) []To {
	return unsafe.Slice((*To)(unsafe.Pointer(unsafe.SliceData(from))), len(from))
}

// Value returns a copy of the record as another record type.
func Value[To, From any](from From) To { return *(*To)(unsafe.Pointer(&from)) }
