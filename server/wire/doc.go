// Package wire holds the JSON shapes that REST and the live channel share, so that a number is never two numbers.
//
// A Shape belongs to one metric: it knows the names of its group keys and aggregates, whether its values are estimates,
// and turns a window.Result into a Row. A Problem is an error as RFC 9457 describes it, with every fault of the input.
//
// Promises: times are integers in milliseconds in fields that end in _ms; null is "no data" and never 0; what can't be
// written as JSON (an infinite value) is null.
//
// Limits: a result of a definition that is no longer in force has lost its names, so its group keys and aggregates are
// called "1", "2" and so on.
package wire
