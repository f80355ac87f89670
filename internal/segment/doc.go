// Package segment keeps a range of stored transfers in one file that never changes: the rows, lists
// of the rows with a value in a field, and the accounts' states before the first of the rows.
//
// The owner writes a segment with a [Writer] and remembers its [Entry]. A [Segment] reads a few
// blocks for each question and keeps none of them in memory.
//
// # Layout
//
// The file segment-%016x, whose number is random, is a file of package sealed: a header and blocks
// with checksums. The data of the header are the position of the first row, u64. The blocks, without
// gaps:
//
//	rows       142 bytes each: the transfer in TigerBeetle's format, positions of the debit account
//	           and the credit account, u32 each, the position of the hold, u40, and its state, u8
//	lists      of a value with many rows: blocks of at most 4092 bytes; the rows of a block are
//	           u32 the first row, then varints, the distance to the row before
//	directory  blocks of 4092 bytes: u16 the used bytes, then for each value, in ascending order,
//	           u32 its hash, varint the length of the rest, varint twice the number of rows,
//	           and then varints, the first row and the distances. Twice the number and one means a
//	           long list: varints, the offset in the lists and the length with sums
//	fences     the first hash of each block of the directory, u32
//	starts     70 bytes each, in ascending order of the account: u32 its position,
//	           four amounts, u16 flags
//	expiries   26 bytes each, in the order of time: timestamp u64, hold and next transfer, u40 each,
//	           debit and credit account, u32 each
//	late ends  6 bytes each, in ascending order of the hold: u40 its position, u8 its state
//	footer     counts and lengths of the above, first and last timestamp
//
// Positions of transfers have 40 bits, those of accounts 32. A segment has less than 2^32 rows. Rows in lists count from the segment's first row. The records of fences, starts, expiries and late
// ends fill blocks of at most 4092 bytes.
//
// The hash of a value is 24 bits long and differs between fields and between files. So a list may
// have rows of other values, and the caller compares each row.
package segment
