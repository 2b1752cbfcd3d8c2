// Package faultfs is a file system that asks before every operation whether it may fail: for tests of the store, in this
// package's parent and from end to end.
//
// It is Pebble's own errorfs, which lets two things go unseen: what is written to a log that was made from an old one, and that a
// file is closed. Here they are seen.
package faultfs
