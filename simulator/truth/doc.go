// Package truth computes what a server with the default definitions must answer, plainly, from nothing but the records.
//
// Given the records of each partition in offset order and the rules of time, a Fold judges every record, cuts sessions,
// lists every window of every default metric with its final value and its last revision, and judges the default alert
// rules on the finals. It shares no code with the engine but the names of times and coordinates; it reads Avro by a
// library, counts distinct values in maps, adds money as rational numbers and takes quantiles of sorted lists. Where the
// engine estimates, the difference functions allow the error that the engine promises: see Room.
//
// A window is of an event's panes when its row was on time, or late but allowed; its final is made of the rows that
// must have been read by then, its last revision of all of them. Windows are given out as soon as no record can reach
// them any more, so that only the events of the last minutes are in memory: about 400 bytes each, for some seven minutes.
//
// The limits: idleness is not simulated, floors are given; no window holds max_groups groups; no session is evicted;
// JSON is plain, without Avro's tagged unions; windows of the first seconds are listed from the first event on.
package truth
