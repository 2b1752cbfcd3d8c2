// Package sequence brings the events of many partitions into one total order: event time, then partition, then offset.
//
// Sessions and patterns need their events in order, and events arrive in none. A worker holds the events of its
// partitions in a Batch that it alone owns. At a barrier the batch goes to the Sequencer, which belongs to the
// committer, and once the watermark W has passed, the sequencer releases what W has passed.
//
// Rows are kept by slice (one second of event time) and lane (a fixed part of the keys). A slice is sorted when W
// reaches it, by two stable passes that compare nothing: the runs of each partition are put one after the other, in
// which offsets ascend already, and then counted out by millisecond. It is sorted again only if rows are added to it
// while W is inside it.
//
// Promise: every row is released once, as soon as W >= its time, in the total order within its lane. Rows of one key
// share a lane, so that what is computed by key does not depend on the number of lanes. Both that order and that
// nothing comes after W has passed it are asserted.
//
// Limits: nothing here is durable (Sequencer.HeldFrom says where to read again); null keys are not held; the
// number of rows is bounded by whoever stops fetching from partitions that are far ahead of W.
package sequence
