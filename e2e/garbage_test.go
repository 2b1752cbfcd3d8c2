package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/simulator"
)

// garbage makes records that nothing can be made of, and good ones between them. Equal seeds make equal records.
type garbage struct {
	rng   *rand.Rand
	whole [][]byte // values of good records, binary Avro
	start event.Millis
	n     int // records so far
	bad   int64
	bytes int64
	views map[event.Millis]int64 // good page views by the start of their window of 5 s
}

const (
	garbagePartitions = 12
	garbageStep       = 20 // ms of event time from one record to the next
	garbageWindow     = 5000
)

func newGarbage(t *testing.T, start event.Millis) *garbage {
	t.Helper()
	g := &garbage{rng: rand.New(rand.NewPCG(1, 1)), start: start, views: map[event.Millis]int64{}}
	for _, r := range traffic(t, func(o *simulator.Options) { o.Count = 500 }) {
		g.whole = append(g.whole, bytes.Clone(r.Value))
	}
	return g
}

// next makes one record: every third is good, for every partition gets good ones.
func (g *garbage) next() event.Record {
	at := g.start + event.Millis(g.n*garbageStep)
	r := event.Record{Partition: event.PartitionID(g.n / 3 % garbagePartitions), Timestamp: at}
	if g.n%3 == 2 {
		r.Value = g.pageView(at)
	} else {
		r.Key, r.Value = g.noise(40), g.waste()
		g.bad++
	}
	g.n++
	g.bytes += int64(len(r.Key) + len(r.Value))
	return r
}

// pageView is good, now and then with a URL that is far too long.
func (g *garbage) pageView(at event.Millis) []byte {
	url := fmt.Sprintf("/p/%d", g.rng.IntN(20))
	if g.rng.IntN(50) == 0 {
		url = fmt.Sprintf("/long/%d/%s", g.rng.IntN(3), strings.Repeat("ä", 2000+g.rng.IntN(100_000)))
	}
	value, err := json.Marshal(map[string]any{
		"eventId": "e", "timestamp": at, "eventType": "PAGE_VIEW", "sessionId": fmt.Sprintf("s%d", g.rng.IntN(500)),
		"pageViewData": map[string]any{"url": url, "title": "T"}, "metadata": map[string]any{"source": "test"},
	})
	if err != nil {
		panic(err)
	}
	g.views[at-at%garbageWindow]++
	return value
}

// last is an event that lets every window before it close.
func (g *garbage) last(p event.PartitionID) event.Record {
	at := g.start + event.Millis(g.n*garbageStep) + 20*60_000
	value := fmt.Sprintf(`{"eventId":"e","timestamp":%d,"eventType":"CUSTOM","sessionId":"end","metadata":{"source":"test"}}`, at)
	return event.Record{Partition: p, Timestamp: at, Value: []byte(value)}
}

// waste is a value that is no event.
func (g *garbage) waste() []byte {
	const big = 200_000
	switch g.rng.IntN(12) {
	case 0:
		return append([]byte{0xff}, g.noise(g.rng.IntN(1000))...) // a length below zero
	case 1:
		if g.rng.IntN(20) == 0 { // nearly as long as brokers take
			return append([]byte{0xff}, g.noise(950_000)...)
		}
		return append([]byte{0xff}, g.noise(g.rng.IntN(10))...)
	case 2:
		return append([]byte{0xff}, g.noise(g.rng.IntN(big))...)
	case 3, 4:
		whole := g.whole[g.rng.IntN(len(g.whole))]
		return whole[:g.rng.IntN(len(whole))]
	case 5: // all of a good record, and more
		return append(bytes.Clone(g.whole[g.rng.IntN(len(g.whole))]), g.noise(1+g.rng.IntN(10))...)
	case 6: // nested
		open := []string{"[", `{"a":`, `{"customData":`, `[{"a":[`}[g.rng.IntN(4)]
		return []byte(`{"x":` + strings.Repeat(open, g.rng.IntN(big)/len(open)+200))
	case 7: // a string without an end
		return []byte(`{"eventId":"` + strings.Repeat(`\u00e4`, g.rng.IntN(big)/6))
	case 8: // a giant field that should be a number
		return fmt.Appendf(nil, `{"eventId":"e","timestamp":%s}`, strings.Repeat("9", 20+g.rng.IntN(big)))
	case 9: // many keys, and none that is needed
		return []byte("{" + strings.Repeat(`"k":1e308,`, g.rng.IntN(big)/10) + `"k":0}`)
	case 10: // a length of almost 2^63
		return append([]byte("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), g.noise(g.rng.IntN(100))...)
	default: // nothing, in two ways
		return [][]byte{nil, {}}[g.rng.IntN(2)]
	}
}

func (g *garbage) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.rng.Uint32())
	}
	return b
}
