// Package packetlog has the packets and rounds of a journal of rounds (package transfers/aggregate) as
// readers of the journal see them.
//
// A journal is a log of package wal. This package encodes and decodes the records that name packets,
// parties and applied rounds. All other kinds belong to package aggregate.
//
// From time to time the recorder replaces its log by a checkpoint. Before that, it writes the packets and
// rounds of the log into a file of the archive ([ArchiveWriter]), in a sub-folder of the journal's folder
// ([ArchiveFolder]). So each packet is in the log, in a file, or for a moment in both. [Reader] and [Search] find
// packets in both, each once, also while the recorder runs. [ReadRecent] reads what a recorder must remember at
// its start, and [RemoveArchives] is the retention.
package packetlog
