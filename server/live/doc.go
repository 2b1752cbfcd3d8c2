// Package live serves the WebSocket at /api/v1/live: the protocol tidemark.v1 with its channels "metrics", a state, and
// "alerts", a log.
//
// A Board is what the server holds: the last final of each metric and group, and the provisional rows of the windows
// that the watermark has not closed. The committer changes it through Hub.Committed, the hub through its polls of the
// open windows. A Log is the durable feed. A client is one connection; a subscription is what it follows: a view of the
// Board, or the tail of the Log.
//
// Promises: rows are absolute and keyed, so that a client that applies the frames of a subscription in order holds what
// the Board held at their seq, whatever was conflated in between. What can't be told as a delta any more is told as a
// reset and a snapshot, never left out. Of the Log every entry is sent, in order, whoever serves it: a client that resumes
// by the last sequence that it saw gets each one once. What the Log no longer has is told as a reset that says where it
// goes on. A slow client costs itself only: a frame is made when the connection can take it, and nothing waits in memory
// but one frame, one page of the Log for each tail, and what the kernel may hold. Clients with equal subscriptions share what
// is encoded.
//
// Limits: a final is held for as long as its window ended less than five minutes, or one window size if that is longer,
// before the watermark; the last one of an ungrouped metric is always held, that of a group unless it was retracted. Results that are replaced between two frames
// are not sent: REST history has them.
package live
