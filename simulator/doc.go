// Package simulator makes the traffic of a web shop's visitors: what a site's own tracking would send.
//
// A visitor is one session: it enters on a page, thinks, goes on to other pages, now and then buys, signs up,
// downloads or asks for contact, and leaves, mostly with a SESSION_END and often without one. A step of a visitor is one
// event; the fate of an event is how its record arrives: at once, disordered (within the out-of-orderness), late
// (beyond it), twice, or with a bad record beside it.
//
// The promise: the same options give the same bytes, in the same order, however the stream is read. Every visitor has
// a random stream of its own and the fates have another, so that changing the rates of disorder changes how records
// arrive and not what visitors do. From the first record on the traffic is in its steady state: sessions that are
// already under way at the start are there. Their earlier events are not, so that rates over whole sessions need the first
// minutes to settle.
//
// A scenario is something that happens to the shop: it changes who comes and what they meet with, for some minutes of each
// half hour.
//
// The limits: memory grows with the visitors on the site (some 27 for each record per second, about 300 bytes each) and with the
// delayed records. Sessions last at most forty minutes and a visitor who is known by name returns after some hours only. The
// network is a delay per record; a whole partition is never slow.
package simulator
