// Package crashdrill is a proof for a user to watch: a server is killed again and again while a shop's traffic comes in, and is
// compared at the end with one that was left alone.
//
// The log is this process's, an embedded broker, so that it survives. The servers are processes of this same program, each always
// on the same directory and address: the drilled one is killed at one of several moments, the undisturbed one reads the same log
// beside it. Once both have read and published all of it, they must agree to the last bit on watermark, counters and digests, and
// each must have every entry of its feed on its topics once and in order, as a read-committed consumer sees them.
//
// It kills processes, not machines: what a disk does when its power goes is for the tests of the store to prove.
package crashdrill
