package processing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/avro"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/schemas"
)

// newerSchema is what a producer has made of rigSchema: another order, a field more, a narrower number.
const newerSchema = `{"type": "record", "name": "Event", "namespace": "shop", "fields": [
	{"name": "user", "type": ["string", "null"]}, {"name": "basket", "type": {"type": "array", "items": "int"}},
	{"name": "time", "type": "int"}, {"name": "id", "type": "string"}, {"name": "url", "type": "string"}]}`

var newerAvro = avro.MustParse(newerSchema)

// registry is a schema registry in memory.
type registry struct {
	mu    sync.Mutex
	texts map[int32]string
	types map[int32]string
	down  error
	asked map[int32]int
}

func newRegistry(texts map[int32]string) *registry {
	return &registry{texts: texts, types: map[int32]string{}, asked: map[int32]int{}}
}

func (r *registry) change(do func(r *registry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do(r)
}

func (r *registry) tries(id int32) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[id]
}

// Schema implements processing.Registry.
func (r *registry) Schema(_ context.Context, id int32) (processing.RegisteredSchema, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[id]++
	if r.down != nil {
		return processing.RegisteredSchema{}, r.down
	}
	text, ok := r.texts[id]
	if !ok {
		return processing.RegisteredSchema{}, fmt.Errorf("id %d: %w", id, processing.ErrUnknownSchema)
	}
	kind := processing.AvroSchema
	if t := r.types[id]; t != "" {
		kind = t
	}
	return processing.RegisteredSchema{Type: kind, Text: text}, nil
}

// framed reads events in any framing, with a registry.
func framed(r *registry) func(*processing.Options) {
	return func(o *processing.Options) {
		o.Encoding = event.Auto
		if r != nil {
			o.Registry = r
		}
	}
}

// shop is a record that was written with newerSchema, in a framing.
func shop(ref schemas.Ref, p event.PartitionID, at time.Duration, user, url string) event.Record {
	var known any // "" is null
	if user != "" {
		known = user
	}
	value, err := newerAvro.Encode(map[string]any{
		"user": known, "basket": []int{1, 2}, "time": at.Milliseconds(), "id": "x", "url": url,
	})
	if err != nil {
		panic(err)
	}
	return event.Record{Partition: p, Timestamp: event.Millis(at.Milliseconds()), Value: append(schemas.AppendFrame(nil, ref), value...)}
}

func shopTraffic(log *memory.Log, ref schemas.Ref, from, to int) {
	for s := from; s < to; s++ {
		at := time.Duration(s) * time.Second
		log.Append(shop(ref, event.PartitionID(s%2), at, fmt.Sprint("u", s%3), "/a"))
	}
}

// letters are the dead letters in the feed: "0/3 unknown_schema 7: detail".
func (r *rig) letters() (out []string) {
	for _, e := range r.store.Entries() {
		if d := e.DeadLetter; d != nil {
			out = append(out, fmt.Sprintf("%d/%d %s %d: %s", d.Partition, d.Offset, d.Reason, d.SchemaID, d.Detail))
		}
	}
	return out
}

// A registry that is down holds up its partitions and loses nothing; afterwards everything is as if it had been up.
func TestRegistryThatIsDownMakesPartitionsWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ref := schemas.Registered(7)
		calm := memory.NewLog(2, 100)
		shopTraffic(calm, ref, 0, 100)
		c := start(t, calm, memory.NewStore(), rigMetrics, framed(newRegistry(map[int32]string{7: newerSchema})))
		pass(10 * time.Second)
		c.want("views of the calm one", len(c.windows("views")), 9)
		views := c.windows("views")
		c.end()

		log, reg := memory.NewLog(2, 100), newRegistry(map[int32]string{7: newerSchema})
		reg.change(func(r *registry) { r.down = errors.New("connection refused") })
		shopTraffic(log, ref, 0, 50)
		r := start(t, log, memory.NewStore(), rigMetrics, framed(reg))
		pass(10 * time.Minute)
		r.want("consumed", r.Status().Counters.Consumed, 0)
		r.want("W", r.watermark(), "never")
		r.want("phase", r.Status().Phase, processing.CatchingUp)
		r.want("verdict", r.Status().Verdict, "Partition 0 is waiting for the schema registry to tell schema id 7: connection refused")
		r.want("partition 1", r.partition(1).Waiting, "waiting for the schema registry to tell schema id 7: connection refused")
		r.want("idle", r.partition(1).Idle, false)
		if n := reg.tries(7); n > 200 {
			t.Errorf("asked %d times in 10 minutes", n)
		}
		r.end() // a restart while it waits loses nothing

		r = start(t, log, r.store, rigMetrics, framed(reg))
		shopTraffic(log, ref, 50, 100)
		pass(time.Minute)
		r.want("consumed after a restart", r.Status().Counters.Consumed, 0)
		reg.change(func(r *registry) { r.down = nil })
		pass(10 * time.Second)
		r.want("views", r.windows("views"), views)
		r.want("dead letters", len(r.letters()), 0)
		r.want("counters", r.Status().Counters, c.Status().Counters)
		r.want("verdict", r.Status().Verdict, "Healthy")
		pass(2 * time.Minute)
		r.want("sessions", r.windows("closed"), "[100s =3]")
		r.end()
	})
}

// One schema that nobody can tell does not hold up what other partitions hold.
func TestOthersGoOnWhileAPartitionWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, reg := memory.NewLog(2, 100), newRegistry(nil)
		reg.change(func(r *registry) { r.down = errors.New("503") })
		for s := range 30 {
			log.Append(rec(1, time.Duration(s)*time.Second, "url=/a"))
		}
		log.Append(shop(schemas.Registered(7), 0, 0, "u", "/a"))
		r := start(t, log, memory.NewStore(), rigMetrics, framed(reg))
		pass(5 * time.Minute)
		r.want("partition 1", r.partition(1).Position, 30)
		r.want("partition 0", r.partition(0).Position, 0)
		r.want("W", r.watermark(), "never")
		r.end()
	})
}

func TestUnknownSchemaIsAskedForAgainThenRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, reg := memory.NewLog(1, 100), newRegistry(map[int32]string{})
		log.Append(shop(schemas.Registered(7), 0, time.Second, "u", "/a"), rec(0, 2*time.Second, "url=/a"))
		r := start(t, log, memory.NewStore(), rigMetrics, framed(reg))
		pass(9 * time.Second)
		r.want("letters while it may still come", len(r.letters()), 0)
		r.want("waiting", r.partition(0).Waiting, "waiting for the schema registry to tell schema id 7")
		pass(2 * time.Second)
		r.want("tries", reg.tries(7), 5)
		r.want("letters", r.letters(), "[0/0 unknown_schema 7: schema id 7 is not known to the schema registry]")
		r.want("consumed", r.Status().Counters.Consumed, 2)

		// What comes soon after is refused at once, and what comes later asked for once more.
		log.Append(shop(schemas.Registered(7), 0, 3*time.Second, "u", "/a"))
		pass(time.Second)
		r.want("letters", len(r.letters()), 2)
		r.want("tries", reg.tries(7), 5)
		pass(30 * time.Second)
		log.Append(shop(schemas.Registered(7), 0, 4*time.Second, "u", "/a"))
		pass(time.Second)
		r.want("letters", len(r.letters()), 3)
		r.want("tries", reg.tries(7), 6)

		// A schema that is registered after all is found.
		reg.change(func(r *registry) { r.texts[7] = newerSchema })
		pass(30 * time.Second)
		log.Append(shop(schemas.Registered(7), 0, 5*time.Second, "u", "/a"))
		pass(time.Second)
		r.want("letters", len(r.letters()), 3)
		r.want("applied", r.Status().Counters.Applied, 2)
		r.end()
	})
}

// A registration that takes some seconds to arrive costs nothing.
func TestSchemaThatWasJustRegistered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, reg := memory.NewLog(1, 100), newRegistry(map[int32]string{})
		log.Append(shop(schemas.Registered(7), 0, time.Second, "u", "/a"))
		r := start(t, log, memory.NewStore(), rigMetrics, framed(reg))
		pass(6 * time.Second)
		reg.change(func(r *registry) { r.texts[7] = newerSchema })
		pass(5 * time.Second)
		r.want("letters", len(r.letters()), 0)
		r.want("applied", r.Status().Counters.Applied, 1)
		r.end()
	})
}

// A registry that goes down does not make dead letters of what it has refused before: that may have been registered.
func TestRefusalIsNotBelievedForEver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, reg := memory.NewLog(1, 100), newRegistry(map[int32]string{})
		log.Append(shop(schemas.Registered(7), 0, time.Second, "u", "/a"))
		r := start(t, log, memory.NewStore(), rigMetrics, framed(reg))
		pass(time.Minute)
		r.want("letters", len(r.letters()), 1)
		reg.change(func(r *registry) { r.texts[7], r.down = newerSchema, errors.New("down") })
		log.Append(shop(schemas.Registered(7), 0, 2*time.Second, "u", "/a"))
		pass(time.Hour)
		r.want("letters", len(r.letters()), 1)
		reg.change(func(r *registry) { r.down = nil })
		pass(10 * time.Second)
		r.want("letters", len(r.letters()), 1)
		r.want("applied", r.Status().Counters.Applied, 1)
		r.end()
	})
}

// After a restart the held records are read again. What was a dead letter stays one, whatever the registry says by now,
// and what was known needs no registry.
func TestHeldRecordsGetTheSameVerdictAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, reg := memory.NewLog(1, 100), newRegistry(map[int32]string{})
		log.Append(shop(schemas.Registered(7), 0, 10*time.Second, "early", "/a"))
		r := start(t, log, memory.NewStore(), rigMetrics, framed(reg), func(o *processing.Options) { o.RegistryMemory = time.Second })
		pass(20 * time.Second)
		reg.change(func(r *registry) { r.texts[7] = newerSchema })
		log.Append(shop(schemas.Registered(7), 0, 11*time.Second, "held", "/a"))
		pass(5 * time.Second)
		r.want("letters", len(r.letters()), 1)
		r.want("applied", r.Status().Counters.Applied, 1)
		r.want("W", r.watermark(), "5.999s") // both are ahead of it, the second is held
		r.end()

		for _, again := range []*registry{nil, reg} { // without a registry, and with one that knows the schema
			r = start(t, log, r.store, rigMetrics, framed(again))
			pass(time.Second)
			r.end()
		}
		r = start(t, log, r.store, rigMetrics, framed(nil))
		log.Append(shop(schemas.Registered(7), 0, 100*time.Second, "last", "/a"))
		pass(5 * time.Second)
		r.want("sessions: those of held, none of early", r.windows("closed"), "[20s =1]")
		r.want("letters", len(r.letters()), 1)
		r.want("consumed", r.Status().Counters.Consumed, 3)
		r.end()
	})
}

func TestSchemasThatAreNoUse(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, reg := memory.NewLog(1, 100), newRegistry(map[int32]string{
			1: `{"type": "object"}`, 2: `{"type": "record", "name": "Event", "fields": [{"name": "id", "type": "int"}, {"name": "time", "type": "boolean"}]}`,
			3: `{`, 6: strings.Repeat(`{"type":"array","items":`, 2000), 4: `{"type": "record", "name": "Order", "fields": [{"name": "time", "type": "long"}]}`,
		})
		reg.types[1] = "JSON"
		for _, id := range []int32{1, 2, 3, 4, -5, 6} {
			log.Append(shop(schemas.Registered(id), 0, time.Second, "u", "/a"))
		}
		r := start(t, log, memory.NewStore(), rigMetrics, framed(reg))
		pass(time.Second)
		got := strings.Join(r.letters(), "\n")
		for _, want := range []string{
			"0/0 incompatible_schema 1: schema id 1 is a schema of type JSON, not Avro",
			"0/1 incompatible_schema 2: schema id 2 can't be read as the events schema: id: an int can't be read as a string; time: a boolean can't be read as a long",
			"0/2 incompatible_schema 3: schema id 3 can't be read as the events schema: parse schema: ",
			"0/3 incompatible_schema 4: schema id 4 can't be read as the events schema: the record Order can't be read as the record Event",
			"0/4 unknown_schema -5: schema id -5 is not known",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no dead letter %q in\n%s", want, got)
			}
		}
		for _, letter := range r.letters() {
			if len(letter) > 1100 {
				t.Errorf("a dead letter tells %d bytes", len(letter))
			}
		}
		r.want("asked for a negative one", reg.tries(-5), 0)
		r.end()
	})
}

func TestSingleObjects(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		fingerprint, err := schemas.Fingerprint(newerSchema)
		if err != nil {
			t.Fatal(err)
		}
		ref := schemas.Fingerprinted(fingerprint)
		log.Append(shop(ref, 0, time.Second, "u", "/a"), shop(schemas.Registered(3), 0, time.Second, "u", "/a"))
		r := start(t, log, store, rigMetrics, framed(nil))
		pass(time.Second)
		got := r.letters()
		r.want("letters", len(got), 2)
		if !strings.Contains(got[0], "unknown_schema 0: the schema of fingerprint ") || !strings.Contains(got[0], "--writer-schemas") {
			t.Error(got[0])
		}
		if !strings.Contains(got[1], "unknown_schema 3: the value is in Confluent framing, with schema id 3: --schema-registry is needed") {
			t.Error(got[1])
		}
		r.end()

		given := func(o *processing.Options) { o.Encoding, o.WriterSchemas = event.Auto, []string{newerSchema} }
		r = start(t, log, store, rigMetrics, given)
		log.Append(shop(ref, 0, 2*time.Second, "u", "/a"))
		pass(time.Second)
		r.want("applied", r.Status().Counters.Applied, 1)
		r.end()

		// What was used is known from then on, also without the file.
		r = start(t, log, store, rigMetrics, framed(nil))
		log.Append(shop(ref, 0, 3*time.Second, "u", "/a"))
		pass(time.Second)
		r.want("applied", r.Status().Counters.Applied, 2)
		r.want("letters", len(r.letters()), 2)
		r.end()
	})
}

// Many values that only look framed cost few questions each, and everything else is read.
func TestRubbishWithSchemaNumbers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, reg := memory.NewLog(2, 5000), newRegistry(map[int32]string{7: newerSchema})
		for i := range 2000 {
			log.Append(shop(schemas.Registered(int32(1000+i)), event.PartitionID(i%2), time.Second, "u", "/a"))
		}
		shopTraffic(log, schemas.Registered(7), 0, 100)
		r := start(t, log, memory.NewStore(), rigMetrics, framed(reg))
		pass(30 * time.Second)
		r.want("letters", len(r.letters()), 2000)
		r.want("applied", r.Status().Counters.Applied, 100)
		asked := 0
		for i := range int32(2000) {
			asked += reg.tries(1000 + i)
		}
		if asked > 2000+4*64 {
			t.Errorf("asked %d times", asked)
		}
		r.end()
	})
}
