// Package idindex finds the entries of ids in files that never change: the position of a transfer,
// the end of a hold, or that an id is burnt.
//
// The index is a list of runs. A [Seal] adds a run with new entries. A goroutine merges runs of like
// size, some four at a time, so a hundred million entries are in ten to twenty runs. The owner
// stores the manifest, the list of the runs that count, in a checkpoint, and commits the seal when
// the checkpoint is durable. Merged runs take effect with the next seal, too. Files outside of the
// newest manifest are removed.
//
// # Look-ups
//
// Nearly every look-up asks for a new id. Three steps say no, the cheapest first: the smallest and
// the greatest id of a run (ids made of the time are greater than those of older runs), then one
// cache line of the run's filter, then the entries. The filter is mapped into memory, so it belongs
// to the page cache and not to the process. Entries are read from the file: their hashes are
// uniform, so two or three blocks are read to find one.
//
// # Layout
//
// The file ids-%016x, whose number is random, is a file of package sealed: a header and blocks with
// checksums. The data of the header are the number of entries and of burnt ids, u64 each, the seed
// of the hash, two u64, the smallest id and the greatest, two u64 each. Then come
//
//	filter   lines of 60 bytes: a Bloom filter of the hashes that belong to the line
//	entries  12 bytes each, in ascending order of key and value: key u64, value u32; in blocks of 341
//	burnt    ids of 16 bytes each, in blocks of 255
//
// The upper 53 bits of a key are the upper bits of the id's hash, then come 3 bits of the [Kind] and
// the upper 8 of the 40 bits of the position. The value has the other 32 bits. A burnt id has the index
// in the list of burnt ids in place of the position. The hash of a hold's end is the hash of the hold's
// id. A position of 40 bits costs no byte: it takes 8 bits of the hash, so a look-up in an index of 2^32
// entries meets an entry of another id once in two million times.
package idindex
