// Package e2e tests the whole: the pipeline with a store, and the binary as users run it. It has no code of its own.
//
// The pipeline runs in bubbles of fake time over a log and a file system in memory, and every window of every default
// metric is held against package truth, which computes them from the records alone: with one worker and several, after
// idle spells, with partitions that fall silent, killed anywhere. The binary is started, interrupted and killed for
// real, and kcat is its client; package apachekafka starts the real broker that it is also held against. With every scenario of
// the simulator it has to answer the whole truth and nothing but it, on both brokers, and package reference says what any
// definitions come to. What users are promised about time and size is measured and printed; a busy machine
// gets ten times the time before a test fails, and never more memory.
package e2e
