// Package window owns windows over event time: panes of dense rows, what is late, when a window closes, and what comes
// of it.
//
// A pane is the smallest slice of time of a grouping; it has a row of accumulators for each group. A Table holds what
// one worker adds to the panes of one grouping between two commits; a Fold does so for all groupings of a plan at once,
// and an event costs it little more than what it adds. What is added is handed over as deltas, which merge into the open
// panes in any order. Windows are merged from panes when the watermark has passed them.
//
// The promise is that rows, groups and verdicts are functions of the events and the watermarks they met, not of how
// they were spread over workers, batches and commits. Panes are bounded by MaxGroups, and which groups stay depends on
// the groups alone.
//
// A closed window adds the rows of its final to its metric's digest, and all rows once it has settled.
//
// Nothing here reads a clock, does I/O, logs or locks. Every type belongs to one goroutine at a time.
package window
