// Package apachekafka starts a real Apache Kafka broker for tests: one KRaft node in a Java process of its own, without
// containers. Only tests import it.
//
// Words: a Broker is one node that is both broker and controller. A Listener is an address of it with a way of its own to
// let clients in; Plaintext is always there. An Authority signs certificates.
//
// Promises: a broker that Start returns takes requests. Ports are free ones, data lie in the test's directory, and the
// process ends with the test; if the test fails, the end of the broker's log is in its output.
//
// Limits: it needs Java 17 and the jars that scripts/kafka fetches. TIDEMARK_KAFKA_LIB names their folder: `make check`
// sets it, and then they must be there; without it tests that call Need are skipped, so that `make test` needs Go alone.
package apachekafka
