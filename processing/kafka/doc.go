// Package kafka is where Tidemark meets Kafka: it owns the source of events, the publisher of results, a writer for
// generated traffic, the schema registry and the embedded broker. No other package imports franz-go.
//
// Words: a Cluster is how to reach brokers. A Source reads one topic by direct assignment, read committed, without ever
// resetting an offset by itself. A Publisher reads the feed and writes it to the output topics. A Writer writes records
// to partitions that the caller has chosen. A Broker is an embedded, loopback-only Kafka. A Registry tells schemas by their
// numbers, over HTTP.
//
// Promises: a position counts every offset that was passed, control records and aborted ones too. What can't be read on
// is reported once for its partition and never skipped. The publisher writes in transactions, and in them how far it is, so that who
// reads committed records sees every entry exactly once, in order per output partition.
// A broker that is away is waited for, however long.
//
// Limits: one topic and one cluster a Source. If compaction has removed the last records of an events topic, the position
// stays before the hole until the next record arrives. The embedded broker is one node without replication; it syncs
// every batch, keeps a bounded log, and after a crash reads all of that log once to start.
package kafka
