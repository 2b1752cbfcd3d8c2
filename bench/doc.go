// Package bench holds the bare loop: the shortest code that does the same job for the default metrics alone, written by
// hand, without definitions, generality or recovery. The benchmarks of the project run beside it, and their gates are
// ratios to it, so that they hold on any machine.
//
// Nothing of the project imports it but tests. It is no example of how to do things, and it checks only what a careful
// author would check for this one schema.
package bench
