// Package definition turns the YAML that users write into a plan that the engine runs: which fields to decode, what to
// compute from them once an event, which dense rows to update, and how a metric's value comes of those rows.
//
// A definitions file extends the embedded defaults.yaml. Load reads it as a whole and reports every fault at once, each
// with its line, column and path. Two languages meet in a file: YAML says what is counted over which windows, and
// expressions in the syntax of expr-lang/expr say of what. An expression is parsed by that library, checked against the
// event schema here, and becomes a term. Terms are the common form: they print canonically (so that equal filters are
// shared and hashes do not depend on spelling), and they compile to closures over an event's row. Formulas, which run
// once a result and not once an event, are run by the library's machine with operators that know null.
//
// Null: a path through null is null; a comparison with null is false, `!=` included; only `== nil` and `!= nil` ask
// for null; arithmetic with null, a division by zero and a result that is not finite are null; a null condition is
// false. There is no third truth value: `not (a == 1)` is true where a is null. A NaN compares like null.
//
// The promise: equal definitions have equal hashes in every process, and definitions whose numbers could differ have
// different ones. Whoever changes what an expression or an aggregate means must raise semanticsVersion.
//
// Limits: a file has at most 1 MiB, an expression 4096 bytes; YAML aliases are not accepted. `lower` and
// `upper` allocate; everything else a filter can say does not.
package definition
