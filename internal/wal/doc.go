// Package wal keeps records in a folder: a log in numbered segments, and checkpoints, each in place
// of the log before it. Synced records survive a crash of the process or the machine at any moment.
// Of the other records, a prefix survives or nothing.
//
// The owner of a [Log] appends a record for each change of its state ([Log.Append]) and
// acknowledges the change when the record is on disk ([Log.Wait]). Records appended during a sync
// are synced together afterwards. From time to time the owner writes its state into a [Checkpoint],
// and the log before it can be removed. [Open] returns everything to the owner: the checkpoint's
// records, then the records of the log behind it.
//
// # Files
//
//	log-%016x         segment N of the log
//	checkpoint-%016x  checkpoint N: the state before the first record of segment N
//	*.tmp             a segment or checkpoint before it is whole; removed by Open
//	lock              locked while a Log is open; always there, and always empty
//
// N is hexadecimal. The newest checkpoint and the segments from its number on count; without a
// checkpoint, the segments from 0 on. Older files are left over from a crash, and removed. Files
// with other names are left alone.
//
// All integers are little endian. A file begins with a header of 512 bytes:
//
//	 0  magic    "WAL LOG\n" or "WAL CKP\n"
//	 8  version  u32, 1: the format of these files
//	12  records  u32, the format of the owner's records, less 1
//	16  folder   16 random bytes, the same in all files of a folder
//	32  number   u64, N
//	40  first    u64, the number of records of the log before segment N
//	48  sum      u32, CRC-32C of the 48 bytes before it
//	64  mark     two slots of 16 bytes: length u64, CRC-32C u32 of the length; in a
//	80           checkpoint, and everywhere else up to 512: zero
//
// Version, records and sum stay at their offsets in every later format: a program refuses a newer
// file by its version, and reads an older file. A folder keeps the format of the records that it
// was made with, unless its owner asks for the newest with the next checkpoint ([Format.Upgrades]).
//
// Then come frames, without gaps, one for each record:
//
//	 0  sum     u32, CRC-32C of the frame behind it
//	 4  length  u32, of the data
//	 8  number  u64, of the record: in the log, over all segments; in a checkpoint,
//	            in this file. Both count from 0
//	16  kind    u8; then 7 bytes of zero
//	24  data
//
// The sums of marks and frames continue the sum of the header, so bytes written into another file
// do not pass. An end frame (kind 255, no data) closes a checkpoint, and every segment with a
// successor. Its number is the number of the next record.
//
// # Invariants
//
//  1. A file visible under its name has a whole header; a visible checkpoint is
//     whole. Files are written as *.tmp, synced, and renamed; then the folder is
//     synced.
//  2. All bytes below the mark are synced. The writer writes a group of frames,
//     syncs, writes the mark, and only then lets Wait return. So the mark is never
//     ahead of the disk, and after the end of the process it covers all
//     acknowledged records. The mark itself is on disk with the next sync: after a
//     power failure it may be one group behind.
//  3. The mark is written to its two slots in turn, so a half-written slot leaves
//     the previous mark. If neither slot can be read the file is damaged.
//  4. To go on in segment N+1, the writer makes that file as in 1, then writes the
//     end frame to N and syncs it, then writes the first record to N+1. So a
//     segment N with an end frame has a successor. A segment N without an end frame
//     has no successor, or a successor without records, which Open removes: either
//     the crash came between the steps, or N+1 could not be made and the writer
//     went on in N. Then N has no fewer records than the "first" of N+1. The writer
//     removes such a file without a sync of the removal, and may fail to; the next
//     attempt replaces the file, durably before N ends.
//  5. A checkpoint gets its name when its segment is there, and older files are
//     removed when that name is durable.
//
// # Recovery
//
// Frames are read up to the first frame that is not whole. If that frame begins at or behind the
// mark of the last segment, it was being written at the time of the crash: the file is cut there
// ([Recovery].Torn). Whole frames behind the mark are kept; Open writes them once more and syncs
// them, since a failed sync may have left them in memory only. Everything else is a [CorruptError]:
// damage below the mark, a file shorter than its mark, damage in another segment or in a
// checkpoint, a missing file. Open changes nothing in the folder before every file was read and
// found good.
//
// Two losses look like a crash: damage to the last group synced before a power failure, and the
// removal of all files at once. One damaged slot of a mark is not reported either, since the other
// slot is enough.
//
// Restore a corrupt folder from a copy of the whole folder: files of different moments do not fit
// together. A copy is good if no Log was open while it was made ([LockFolder]).
//
// # Failures of the disk
//
// After a failed write or sync of a segment in use, the state of the disk is unknown, and a second
// sync may succeed without writing anything. So the Log has failed for good: all calls of Wait
// return the error, and no more records are accepted. The next Open finds out the state.
//
// A checkpoint that cannot be written fails alone. A checkpoint fails alone too if its segment
// cannot be made, for example on a full disk or without a free file descriptor: the log goes on in
// its present segment, which is untouched, and the next checkpoint tries again with the same
// number.
package wal
