package kafka

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/avro"
)

// valueEncoder writes the values of one topic. Equal values have equal bytes, also when they go out again.
type valueEncoder struct {
	encoding Encoding
	schema   *avro.Schema // see orderMaps
}

func newValueEncoder(encoding Encoding, schema string) (valueEncoder, error) {
	ordered, err := orderMaps(schema)
	if err != nil {
		return valueEncoder{}, err
	}
	s, err := avro.Parse(ordered)
	return valueEncoder{encoding: encoding, schema: s}, err
}

// encode writes one of our own structs, whose maps are sortedMaps.
func (e *valueEncoder) encode(v any) ([]byte, error) {
	if e.encoding == JSON {
		return appendJSON(v)
	}
	return e.schema.AppendEncode(nil, v)
}

// orderMaps turns each map of a schema into an array of pairs. In Avro's binary encoding both have the same bytes, but of
// an array the library keeps the order, while it walks a Go map as it comes.
func orderMaps(schema string) (string, error) {
	var root any
	if err := json.Unmarshal([]byte(schema), &root); err != nil {
		return "", fmt.Errorf("parse schema: %w", err)
	}
	pairs := 0
	var order func(node any) any
	order = func(node any) any {
		switch n := node.(type) {
		case []any:
			for i := range n {
				n[i] = order(n[i])
			}
		case map[string]any:
			delete(n, "default") // for readers, and a map's would be none of an array's
			for k := range n {
				n[k] = order(n[k])
			}
			if n["type"] == "map" {
				pairs++
				return map[string]any{"type": "array", "items": map[string]any{
					"type": "record", "name": fmt.Sprint("Pair", pairs), "fields": []any{
						map[string]any{"name": "key", "type": "string"},
						map[string]any{"name": "value", "type": n["values"]},
					},
				}}
			}
		}
		return node
	}
	text, err := json.Marshal(order(root))
	return string(text), err
}

// pair is an element of a sortedMap.
type pair[V any] struct {
	Key   string `avro:"key"`
	Value V      `avro:"value"`
}

// sortedMap is a map that is always written in the order of its keys.
type sortedMap[V any] []pair[V]

func sortMap[V any](m map[string]V) sortedMap[V] {
	s := make(sortedMap[V], 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s = append(s, pair[V]{k, m[k]})
	}
	return s
}

// MarshalJSON writes an object.
func (s sortedMap[V]) MarshalJSON() ([]byte, error) {
	m := make(map[string]V, len(s)) // encoding/json sorts by itself
	for _, p := range s {
		m[p.Key] = p.Value
	}
	return appendJSON(m)
}
