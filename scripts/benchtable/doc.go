// Benchtable runs the benchmarks of the hot path, each beside a hand-written loop of the same job, and prints what they
// cost: CPU time per event, of all cores together, and allocations. It takes the best of several runs: what disturbs a
// run only ever makes it slower. With -gate it fails when a ratio is well above what is wanted.
package main
