// Package store keeps Tidemark's durable state in Pebble, which no other package imports, and is its only writer.
//
// Its words: a commit is one Pebble batch, synced, that holds cursors, panes, sessions, results, feed entries, counters
// and W together, all or nothing. A keyspace is a one-byte prefix. A view is the state as of one commit. Keys are
// big-endian with times sign-flipped, so that byte order is the order of the things; every value starts with a format
// byte, and one that is newer than this code refuses.
//
// Blocks of panes and sessions are opaque here: deltas are Pebble merge operands, folded by the packages that made them.
// History is kept as one block for each settled pane, pane after pane; roll-ups will repack it by series.
//
// Digests are kept by definition, and with the results of each window what it adds to its metric's.
//
// An alert is kept whole, by id, with two indexes by the time at which it began to fire: of all alerts, and of those that
// fire. What a rule remembers of a group, its watch, is opaque here too.
//
// Its promise: after a crash at any point the store is as some commit left it, no older than the last one acknowledged;
// a half-made store is never mistaken for one (see create); a store of another program, or of another format, is
// refused without a byte of it changed. A write that fails, be it in the background, ends the process through
// Options.Fatal (see failStop): what is in memory may be ahead of the disk, and the restart is the recovery. Bytes that are not
// what was written are refused at the opening or reported to who reads them (see checkLog).
//
// Its limits: one process at a time. Feed and history are cut by age and size (Retention) inside commits, never at a
// promised moment, and so are alerts some time after they were resolved; what has not settled is never cut. The journal of floors is not cut. State under
// hashes that no definition has any more stays, until its age takes results and history; panes and sessions of it are
// not loaded, what fires and watches are.
package store
