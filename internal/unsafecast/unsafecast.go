// Package unsafecast reads the records of one package as records of another package with the same
// layout in memory, or as their bytes. The records of package ledger and of tigerbeetle-go have one
// layout without pointers; ledger/layout_test.go asserts the layout. On a little-endian machine it
// is also the layout of TigerBeetle's messages.
package unsafecast

import "unsafe"

// Slice returns the same memory as a slice of another record type, without a copy.
func Slice[To, From any](from []From) []To {
	return unsafe.Slice((*To)(unsafe.Pointer(unsafe.SliceData(from))), len(from))
}

// Value returns a copy of the record as another record type.
func Value[To, From any](from From) To { return *(*To)(unsafe.Pointer(&from)) }

// Bytes returns the memory of records as bytes, without a copy.
func Bytes[T any](records []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(records))), len(records)*int(unsafe.Sizeof(*new(T))))
}

// Records returns bytes as records, without a copy. The bytes are a whole number of records, and are
// aligned as the records are.
func Records[T any](b []byte) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(*new(T))))
}
