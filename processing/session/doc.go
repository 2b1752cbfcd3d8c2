// Package session cuts the events of each key into sessions: an in-order state machine, fed by the sequencer.
//
// A session ends when its key has been silent for longer than the gap (an event exactly the gap later still joins), with
// an end marker (which belongs to the session it ends), or at its first event + max_duration (an event at or past that
// starts another). That time is its closed_at. Timers are part of the total order: at equal times max_duration comes
// before the events, the gap after them.
//
// The table runs a key's timers no later than its next event, and all that are due when Advance is told W. When that is
// makes no difference to what comes out: only sessions of one shard touch each other, and only when the shard is full.
// Then all timers before the event have their turn first, and if that made no room, the session with the oldest last
// event (of those, the smallest key) closes as evicted, at the time of the event that needed its place. A session whose
// first event is also its end needs no place.
//
// Sessions live in 256 shards by the hash of their key. Shards are told apart in memory and on disk; the lanes that
// work on them at the same time are not part of the state.
//
// Promise: closed sessions, and the digest of them, are a function of the events in their total order, whatever the calls to Advance and
// wherever the process stopped and went on from its blocks.
//
// Limits: times of events may not go back; memory is bounded by MaxOpen and never given back below its peak.
package session
