// Package oracle computes what the default metrics must be, slowly and plainly, from nothing but the records.
//
// It is the other side of the end-to-end test: given each partition's records in offset order and the rules of time,
// Compute judges every record, cuts sessions, and lists every window of every default metric with its final value and
// its last revision. It shares no code with the engine but the names of times and coordinates; it reads Avro by a
// library, keeps every event in memory, counts distinct values in maps, adds money as rational numbers and takes
// quantiles of sorted lists. Where the engine estimates, the difference functions allow the error that the engine promises.
//
// A window is of an event's panes when its row was on time, or late but allowed; its final is made of the rows that
// must have been read by then, its last revision of all of them.
//
// The limits: idleness is not simulated, floors are given; no window holds max_groups groups; no session is evicted;
// JSON is plain, without Avro's tagged unions; windows of the first seconds are listed from the first event on.
package oracle
