// Package server answers HTTP: REST under /api/v1, the live channel, health, Prometheus, the OpenAPI document and the
// dashboard's files.
//
// A resource is one kind of answer and has a file of its own. A View is the store as of one commit; an answer is read
// from one View, so that its rows and its watermark_ms belong together. A range is half-open, and `now` in it is this
// machine's clock, not the watermark: data that the watermark has not passed are not there yet, and `partial` says so.
//
// Promises: every parameter is checked, and every fault told at once; an unknown one is an error. Every request has a
// limit of time, of bytes and of points. /latest and the live channel read one Board, history and backfill share one
// evaluation, so that a number is never two numbers.
//
// Who may ask: on a loopback address everybody; elsewhere whoever shows the token, as a bearer or by the cookie that
// the login page gives for it. Host and Origin are checked against pages that would use a visitor's browser.
package server
