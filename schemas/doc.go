// Package schemas owns the Avro contracts of the topics, events in, metrics and alerts out, and the framings that name the
// schema of a value: Avro's single-object encoding, and that of Confluent's schema registry.
//
// Names, types and order of the fields are those that producers and consumers of this kind of pipeline already use.
// What is ours stands at the end of a record and has a default, so that each side reads what the other writes;
// Compatible is the check of that.
//
// The schemas are embedded as text, because each of their readers compiles them in its own way. The package imports
// nothing of the project.
package schemas
