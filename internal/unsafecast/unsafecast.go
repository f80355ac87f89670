// Package unsafecast reads records of one package as records of another that lie in
// memory in the same way: those of package ledger and of tigerbeetle-go have one
// layout without pointers, which ledger/layout_test.go asserts.
package unsafecast

import "unsafe"

// Slice is the slice read as another record type, without a copy: the same memory
// has two types.
func Slice[To, From any](from []From) []To {
	return unsafe.Slice((*To)(unsafe.Pointer(unsafe.SliceData(from))), len(from))
}

// Value is a copy of the record as another record type.
func Value[To, From any](from From) To { return *(*To)(unsafe.Pointer(&from)) }
