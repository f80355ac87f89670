// Package wal keeps records in a folder: a log in numbered segments, and checkpoints
// that stand for the log before them. What was synced survives a crash at any moment,
// of the process or of the machine; what was not is there as a prefix, or not at all.
//
// The owner of a Log appends a record for each change of its state and answers for
// the change when Wait says that the record is on disk. Records that are appended
// while others are being synced are synced together. At times it writes its state
// into a Checkpoint, which lets the log before it be removed. Open hands all of it
// back: the checkpoint's records, then those of the log behind it.
//
// # Files
//
//	log-%016x         segment N of the log
//	checkpoint-%016x  checkpoint N: the state before the first record of segment N
//	*.tmp             either of them before it was whole; removed by Open
//	lock              locked while a Log is open; it stays, and is always empty
//
// N is hexadecimal. The newest checkpoint and the segments from its number on are
// what counts; without a checkpoint, the segments from 0 on. What is older is left
// over from a crash, and removed. Files with other names are left alone.
//
// All integers are little endian. A file begins with a header of 512 bytes:
//
//	 0  magic    "WAL LOG\n" or "WAL CKP\n"
//	 8  version  u32, 1: the format of these files
//	12  records  u32, the format of the owner's records, less 1
//	16  folder   16 random bytes, the same in all files of a folder
//	32  number   u64, N
//	40  first    u64, how many records the log has before segment N
//	48  sum      u32, CRC-32C of the 48 bytes before it
//	64  mark     two slots of 16 bytes: length u64, CRC-32C u32 of the length; in a
//	80           checkpoint, and everywhere else up to 512: zero
//
// Both numbers stay where they are, and so does the sum, whatever a later format changes: a
// program refuses a newer file by its number, and reads an older one. A folder keeps the
// format of the records that it was made with.
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
// The sums of marks and frames go on from the sum of the header, so nothing passes
// that was written into another file. An end frame (kind 255, no data) closes a
// checkpoint, and a segment that another one follows. Its number is the one that the
// next record would have.
//
// # What holds at every moment
//
//  1. A file that is visible under its name has a whole header; a checkpoint is all
//     whole. They are written as *.tmp, synced, and renamed; then the folder is
//     synced.
//  2. Below the mark every byte has been synced. The writer writes a group of frames,
//     syncs, writes the mark, and only then lets Wait answer. So a mark is never
//     ahead of what is on disk, and after the end of the process it covers all that
//     was answered. The mark itself is on disk with the next sync: after a power
//     failure it may be one group behind.
//  3. The mark is written to its two slots in turn, so a half-written one leaves the
//     mark before it. If neither can be read the file is damaged.
//  4. To go on in segment N+1, the writer makes that file as in 1, then writes the end
//     frame to N and syncs it, then writes the first record to N+1. So N with an end
//     has a successor, and N without one has none, or one without records, which Open
//     removes: the crash came between. Or the file could not be made, and the writer
//     went on in N: then N has no fewer records than the "first" of N+1 says. The
//     writer removes such a file, but does not sync that, and may fail; the next
//     attempt puts another one in its place, which is on disk before N ends.
//  5. A checkpoint gets its name when its segment is there, and older files are
//     removed after that name is on disk.
//
// # What Open makes of it
//
// Frames are read up to the first one that is not whole. If it begins at or behind
// the mark of the last segment, it is what was being written at the time of the
// crash: the file is cut there, which Recovery.Torn tells. Whole frames behind the
// mark are kept; they are written once more and synced before Open returns, since a
// failed sync may have left them in memory only. Anything else is a CorruptError:
// damage below the mark, a file that is shorter than it, damage in another segment
// or in a checkpoint, a file that is missing. Open changes nothing in the folder
// before all of it was read and found good.
//
// Two losses cannot be told from a crash: damage to the group that was synced last
// before a power failure, and the removal of all files at once. One spoiled slot of a
// mark is not reported either, since the other one does.
//
// A corrupt folder is to be restored from a copy, whole: files of different moments do
// not fit together. A copy is good if no Log was open while it was made.
//
// # When the disk fails
//
// After a write or a sync of a segment in use that failed nobody can tell what is on
// disk, and a second sync may succeed without writing anything. So the Log has then
// failed for good: it says so to all who wait, and takes no more records. Open finds
// out what is there.
//
// A checkpoint that cannot be written fails alone. So does one whose segment cannot be
// made, since the disk is full or no file can be opened: the log goes on in the
// segment that it has, which nothing was done to, and the next checkpoint tries again
// with the same number.
package wal
