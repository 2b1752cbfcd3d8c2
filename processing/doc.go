// Package processing owns the pipeline: records of an events topic go in, one Changes value comes out per commit.
//
// A Source gives fetch answers. The loop takes them, holds back the partitions that are far ahead of the watermark W, and
// hands the others on to workers, which decode, judge and fold: into deltas of panes, and into batches for the sequencers.
// A barrier collects what they have; the loop decides how far W goes; the committer, which owns everything durable,
// makes one commit of it: sessions, finals, corrections, cursors, feed. Only when the Store has it do Observers hear.
//
// Words: W_p is the watermark of partition p, M_p the newest time read of it, W the lowest W_p of those that hold it. A
// floor is a lower bound of W_p from an offset on, journaled because no log tells of idleness. A cursor is where a
// reading stands; records between its HeldFrom and Next are judged once more after a restart, for the sequencers alone.
//
// The promise: finals, last revisions, sessions and counters are functions of the log and of the journal, whatever the
// number of workers, the size of answers, the rhythm of commits and the restarts. A log that is not provably the one that
// the state was made from is not read: its partition is faulted and W waits. A commit that fails ends Run; starting again
// is the recovery.
//
// With a Target the pipeline makes the same of the log as another fold has, up to where that stood: it takes the other's
// journal, asks no clock, and ends.
//
// Limits: one topic of one cluster, one process. There is no I/O but that of Source and Store; the clock decides when to
// commit and who is idle, never how a record is judged.
package processing
