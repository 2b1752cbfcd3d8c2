// Package event owns records and what is read from them: the fields that definitions use, and the event time.
//
// A Decoder is made from the Avro schema of events and a list of paths. Decode fills a row with one Value a path, from
// Avro or from JSON, and allocates nothing for Avro. The paths compile to a flat program that reads the wanted fields
// and steps over the rest; both encodings give the same row for the same event.
//
// A framed value names the schema that it was written with. Reader.Writer compiles a program for that schema, by the
// rules of Avro's schema resolution, and Decoder.Use says which programs there are: values of other schemas are bad.
//
// The promise is that whether a record is good never depends on which fields are wanted: everything is read and
// checked to the last byte, skipped values too. What does not decode is a *BadRecord, whose reason becomes the dead
// letter's; nothing here panics on foreign bytes or reads more of them than there are. A string that is not UTF-8, or a
// map's key, makes a bad record in both encodings: mended, two values could become one.
//
// A path through null is null. Enums, bytes and fixed are Strings, logical types are read as what they are made of,
// except for the event time, which is always in milliseconds. A map is entered by key; of duplicate keys, in a map or
// in JSON, the last one counts. The row follows the schema of events, whatever a value was written with.
//
// Symbols of enums carry a number besides, the same for equal texts in all of the process, so that what is known of a
// symbol can be looked up without reading or hashing it.
//
// Values that nest deeper than 128 arrays, maps or recursive records (in JSON: objects or arrays) are bad records.
package event
