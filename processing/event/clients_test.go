package event_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// clientMessage is a line of testdata/clients/messages.jsonl: see the page beside it.
type clientMessage struct {
	Client, Framing, Schema, Value string
	Event                          any
}

// What clients of other languages write is read as one of them reads it.
func TestMessagesOfOtherClients(t *testing.T) {
	n := parseNode(t, schemas.Events)
	paths := timeFirst(n.paths(nil, 3))
	reader, err := event.NewReader(schemas.Events, paths, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range clientMessages(t) {
		writers := clientWriters(t, reader, m.Schema)
		for _, encoding := range []event.Encoding{event.Encoding(m.Framing), event.Auto} {
			if m.Framing == string(event.Avro) && m.Schema != "events.avsc" {
				continue // without a framing nothing tells of another schema
			}
			d := newDecoder(t, schemas.Events, encoding, paths...)
			d.Use(writers)
			value, err := hex.DecodeString(m.Value)
			if err != nil {
				t.Fatal(err)
			}
			row := dirtyRow(len(paths))
			err = d.Decode(row, value)
			if m.Event == nil {
				var bad *event.BadRecord
				if !errors.As(err, &bad) || bad.Reason != event.IncompatibleSchema {
					t.Errorf("%s, %s, %s, read as %s: %v, want an incompatible schema", m.Client, m.Schema, m.Value, encoding, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %s, %s, read as %s: %v", m.Client, m.Schema, m.Value, encoding, err)
				continue
			}
			if diff := cmp.Diff(expected(n, jsonNumbers(n, m.Event), paths), rowText(row)); diff != "" {
				t.Errorf("%s, %s, %s, read as %s (-fastavro +ours):\n%s", m.Client, m.Schema, m.Value, encoding, diff)
			}
		}
	}
}

func clientMessages(t *testing.T) (messages []clientMessage) {
	t.Helper()
	file, err := os.Open("testdata/clients/messages.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var m clientMessage
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	if len(messages) == 0 {
		t.Fatal("there are none")
	}
	return messages
}

// clientWriters knows a schema by its fingerprint and by the few numbers that a registry may have given it.
func clientWriters(t *testing.T, reader *event.Reader, file string) event.Writers {
	t.Helper()
	text := schemas.Events
	if file != "events.avsc" {
		content, err := os.ReadFile(filepath.Join("testdata/clients", file))
		if err != nil {
			t.Fatal(err)
		}
		text = string(content)
	}
	w, err := reader.Writer(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	fingerprint, err := schemas.Fingerprint(text)
	if err != nil {
		t.Fatal(err)
	}
	return event.Writers{
		schemas.Fingerprinted(fingerprint): w,
		schemas.Registered(1):              w, schemas.Registered(2): w, schemas.Registered(3): w,
	}
}

// jsonNumbers makes whole numbers of those that JSON can't tell from others.
func jsonNumbers(n *node, v any) any {
	switch v := v.(type) {
	case float64:
		for _, b := range append(n.branches, n) {
			if b.kind == "int" || b.kind == "long" {
				return int64(v)
			}
		}
	case map[string]any:
		for _, b := range append(n.branches, n) {
			for _, f := range b.fields {
				v[f.name] = jsonNumbers(f.typ, v[f.name])
			}
		}
	}
	return v
}
