package processing_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// odd is a record that somebody might send, and what becomes of it: "" for an event, or the beginning of the dead letter.
type odd struct {
	name  string
	key   []byte
	value []byte
	at    event.Millis // Kafka's timestamp
	want  string
}

// oddAt is the event time of the odd records that have a good one, and the Kafka timestamp of most.
const oddAt = 100_000

// oddJSONOf is JSON with a good identity and time, and whatever else.
func oddJSONOf(rest string) []byte { return fmt.Appendf(nil, `{"id":"x","time":%d%s}`, oddAt, rest) }

var oddJSON = []odd{
	{"tombstone", []byte("k"), nil, oddAt, "undecodable: at byte 0: wanted an object, found the end"},
	{"empty", nil, []byte{}, oddAt, "undecodable: at byte 0: wanted an object, found the end"},
	{"white space", nil, []byte(" \n\t "), oddAt, "undecodable: at byte 4: wanted an object, found the end"},
	{"null key", nil, oddJSONOf(``), oddAt, ""},
	{"huge key", make([]byte, 1<<20), oddJSONOf(``), oddAt, ""},
	{"huge key of a dead letter", make([]byte, 1<<20), []byte("{"), oddAt, "undecodable: at byte 1: wanted a key, found the end"},
	{"megabyte of text", nil, oddJSONOf(`,"url":"` + strings.Repeat("u", 1<<20) + `"`), oddAt, ""},
	{"sixteen megabytes of text", nil, oddJSONOf(`,"url":"` + strings.Repeat("u", 16<<20) + `"`), oddAt, ""},
	{"deep", nil, oddJSONOf(`,"x":` + strings.Repeat("[", 127) + strings.Repeat("]", 127)), oddAt, ""},
	{"too deep", nil, oddJSONOf(`,"x":` + strings.Repeat("[", 128) + strings.Repeat("]", 128)), oddAt, `undecodable: "x", at byte 155: it nests too deep`},
	{"deep without end", nil, oddJSONOf(`,"x":` + strings.Repeat(`{"a":`, 1<<20)), oddAt, `undecodable: "x", at byte 663: it nests too deep`},
	{"huge number where nobody looks", nil, oddJSONOf(`,"x":` + strings.Repeat("9", 1<<16) + `e99999`), oddAt, ""},
	{"time beyond 64 bits", nil, []byte(`{"id":"x","time":9223372036854775808}`), oddAt, "undecodable: time, at byte 17: wanted a whole number from -9223372036854775808 to 9223372036854775807"},
	{"time of a long number", nil, []byte(`{"id":"x","time":` + strings.Repeat("1", 1<<16) + `}`), oddAt, "undecodable: time, at byte 17: wanted a whole number"},
	{"time with an exponent", nil, []byte(`{"id":"x","time":1e5}`), oddAt, "undecodable: time, at byte 17: wanted a whole number"},
	{"duplicate keys: the last counts", nil, oddJSONOf(`,"time":1,"time":100000`), oddAt, ""},
	{"duplicate keys: the last is bad", nil, oddJSONOf(`,"time":null`), oddAt, "undecodable: time, at byte 31: wanted a number, found null"},
	{"escaped NUL", nil, oddJSONOf(`,"url":"a\u0000b"`), oddAt, ""},
	{"bare NUL in a text", nil, oddJSONOf(",\"url\":\"a\x00b\""), oddAt, "undecodable: url, at byte 32: a control character in a string"},
	{"bare NUL behind", nil, append(oddJSONOf(``), 0), oddAt, "undecodable: at byte 24: more follows the end of the record"},
	{"byte order mark", nil, append([]byte("\ufeff"), oddJSONOf(``)...), oddAt, "undecodable: at byte 0: wanted an object, found '\\ufeff'"},
	{"half of a surrogate pair", nil, oddJSONOf(`,"url":"\ud83d"`), oddAt, ""},
	{"not UTF-8", nil, oddJSONOf(",\"url\":\"caf\xe9\""), oddAt, "undecodable: the JSON is not valid UTF-8"},
	{"not UTF-8 where nobody looks", nil, oddJSONOf(",\"x\":\"caf\xe9\""), oddAt, "undecodable: the JSON is not valid UTF-8"},
	{"two records", nil, append(oddJSONOf(``), oddJSONOf(``)...), oddAt, "undecodable: at byte 24: more follows the end of the record"},
	{"an array of records", nil, []byte(`[` + string(oddJSONOf(``)) + `]`), oddAt, "undecodable: at byte 0: wanted an object, found an array"},
	{"ten thousand fields", nil, oddJSONOf(strings.Repeat(`,"k":0`, 10_000)), oddAt, ""},
}

var oddAvro = []odd{
	{"tombstone", []byte("k"), nil, oddAt, "undecodable: id, at byte 0: the record ends inside of it"},
	{"empty", nil, []byte{}, oddAt, "undecodable: id, at byte 0: the record ends inside of it"},
	{"good", nil, avroOf("02 78  c09a0c  00  00"), oddAt, ""},
	{"trailing byte", nil, avroOf("02 78  c09a0c  00  00  00"), oddAt, "undecodable: 1 bytes follow the end of the record"},
	{"length of 2^62", nil, avroOf("80808080808080808001 78"), oddAt, "undecodable: id, at byte 0: its length is more than what is left of the record"},
	{"negative length", nil, avroOf("01 78  c09a0c  00  00"), oddAt, "undecodable: id, at byte 0: its length is negative"},
	{"branch beyond", nil, avroOf("02 78  c09a0c  04  00"), oddAt, "undecodable: url, at byte 5: its union has no such branch"},
	{"negative branch", nil, avroOf("02 78  c09a0c  01  00"), oddAt, "undecodable: url, at byte 5: its union has no such branch"},
	{"not UTF-8", nil, avroOf("02 78  c09a0c  02 08 636166e9  00"), oddAt, "undecodable: url, at byte 5: it is not valid UTF-8, from byte 10 on"},
	{"not UTF-8 where nobody looks", nil, avroOf("02 ff  c09a0c  00  00"), oddAt, "undecodable: id, at byte 0: it is not valid UTF-8, from byte 1 on"},
	{"NUL", nil, avroOf("02 00  c09a0c  02 02 00  00"), oddAt, ""},
	{"least time", nil, avroOf("02 78  ffffffffffffffffff01  00  00"), oddAt, "implausible_timestamp: event time -9223372036854775808 ms is before"},
	{"greatest time", nil, avroOf("02 78  feffffffffffffffff01  00  00"), oddAt, "future_timestamp: event time 9223372036854775807 ms is more than 5m0s ahead"},
	{"negative time", nil, avroOf("02 78  01  00  00"), oddAt, "implausible_timestamp: event time 1969-12-31T23:59:59.999Z is before"},
	{"negative Kafka timestamp", nil, avroOf("02 78  c09a0c  00  00"), -1, "implausible_timestamp: the record has no Kafka timestamp (-1)"},
	{"least Kafka timestamp", nil, avroOf("02 78  c09a0c  00  00"), math.MinInt64, "implausible_timestamp: the record has no Kafka timestamp"},
	{"greatest Kafka timestamp", nil, avroOf("02 78  c09a0c  00  00"), math.MaxInt64, ""},
	{"greatest time of both", nil, avroOf("02 78  feffffffffffffffff01  00  00"), math.MaxInt64, "implausible_timestamp: event time 9223372036854775807 ms is past the year 9999"},
	{"varint without end", nil, avroOf("02 78  ffffffffffffffffffffff"), oddAt, "undecodable: time, at byte 2: its varint does not fit into 64 bits"},
}

func avroOf(digits string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// Every odd record is an event or a dead letter that says why and where it was; nothing is lost, and dead letters move
// nothing.
func TestOddRecords(t *testing.T) {
	for encoding, records := range map[event.Encoding][]odd{event.JSON: oddJSON, event.Avro: oddAvro} {
		t.Run(string(encoding), func(t *testing.T) {
			inBubble(t, func(t *testing.T) { checkOdd(t, encoding, records) })
		})
	}
}

func checkOdd(t *testing.T, encoding event.Encoding, records []odd) {
	log, store := memory.NewLog(1, 100), memory.NewStore()
	for _, o := range records {
		log.Append(event.Record{Timestamp: o.at, Key: o.key, Value: o.value})
	}
	r := start(t, log, store, rigMetrics, func(o *processing.Options) { o.Encoding = encoding })
	pass(time.Second)
	letters := map[event.Offset]*processing.DeadLetter{}
	for _, e := range store.Entries() {
		if e.Type == processing.DeadLetterEntry {
			letters[e.DeadLetter.Offset] = e.DeadLetter
		}
	}
	bad := 0
	for i, o := range records {
		d := letters[event.Offset(i)]
		switch {
		case o.want == "" && d != nil:
			t.Errorf("%s: %s: %s", o.name, d.Reason, d.Detail)
		case o.want == "":
		case d == nil:
			t.Errorf("%s: is taken, want %s", o.name, o.want)
		default:
			bad++
			got := d.Reason + ": " + d.Detail
			if !strings.HasPrefix(got, o.want) || len(got) > 10_000 {
				t.Errorf("%s: %.200s, want %s", o.name, got, o.want)
			}
			if (o.value == nil) != (d.Value == nil) || !slices.Equal(d.Value, o.value[:min(len(o.value), 64<<10)]) || d.Truncated != (max(len(o.key), len(o.value)) > 64<<10) {
				t.Errorf("%s: the value is kept as %d bytes of %d, truncated: %v", o.name, len(d.Value), len(o.value), d.Truncated)
			}
		}
	}
	c := r.Status().Counters
	r.want("counters", fmt.Sprint(c.Consumed, c.Applied, c.DeadLetters, c.Late, c.Filtered), fmt.Sprint(len(records), len(records)-bad, bad, 0, 0))
	r.want("W", r.watermark(), "1m34.999s")
	r.end()
}
