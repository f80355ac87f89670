// Package sealed keeps files that are written once and then only read. Every byte that is read back
// is checked.
//
// A [Writer] writes a file as NAME.tmp, syncs it, renames it, and syncs the folder: so a file with
// its name is whole. A [Reader] reads it. The owner, usually a manifest, remembers the file's size
// and the sum of its header, which is random. So a file of another time or folder does not pass. A
// [FileCache] bounds the number of open files where there are many.
//
// # Layout
//
// All integers are little endian. A file begins with a header of [HeaderBytes]:
//
//	   0  magic    8 bytes, the kind of file
//	   8  version  u32, of the owner's format
//	  12  zero     u32
//	  16  random   16 bytes
//	  32  data     [HeaderDataBytes], the owner's
//	4092  sum      u32, CRC-32C of the 4092 bytes before it
//
// Then come blocks, whose places and lengths the owner knows: bytes, and a u32 with their CRC-32C.
// The sum of a block continues a number made of the header's sum and the block's offset. So a block
// passes at its own place in its own file only.
package sealed
