// Package digest sums up what a fold of the log has made, so that two folds can be compared by one number.
//
// Every fact (a window's rows, a closed session, an alert's transition) is hashed by itself, and a digest is the sum of
// the hashes mod 2^128. A sum doesn't know in which order its terms came: it can be kept commit by commit, by any number
// of workers, and what is taken back (the rows of a window before its correction) is subtracted.
//
// Promise: equal sets of facts have equal digests, wherever commits fell. That different ones have different digests is as
// certain as SHA-256 cut to 128 bits makes it for data that nobody chose in order to collide; a digest is no signature.
package digest
