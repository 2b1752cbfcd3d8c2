package store

import (
	"math"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

var (
	genHash = rapid.Custom(func(t *rapid.T) (h definition.Hash) {
		copy(h[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "hash"))
		return h
	})
	genSum = rapid.Custom(func(t *rapid.T) digest.Sum {
		return digest.Sum{Hi: rapid.Uint64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
	})
	genMillis = rapid.Custom(func(t *rapid.T) event.Millis { return event.Millis(rapid.Int64().Draw(t, "millis")) })
	genOffset = rapid.Custom(func(t *rapid.T) event.Offset { return event.Offset(rapid.Int64().Draw(t, "offset")) })
	genPart   = rapid.Custom(func(t *rapid.T) event.PartitionID { return event.PartitionID(rapid.Int32Min(0).Draw(t, "partition")) })
	genTopic  = rapid.StringMatching(`[a-z._-]{1,12}`)
	genNumber = rapid.Custom(func(t *rapid.T) definition.Number {
		switch rapid.IntRange(0, 3).Draw(t, "kind of number") {
		case 0:
			return definition.Number{}
		case 1:
			return definition.Number{Float: float64(rapid.Int64().Draw(t, "int")), Valid: true}
		case 2:
			return definition.Number{Float: rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1),
				1 << 53, 1<<53 - 1, -(1 << 53), math.MaxFloat64}).Draw(t, "special"), Valid: true}
		default:
			return definition.Number{Float: rapid.Float64().Draw(t, "float"), Valid: true}
		}
	})
	genBlob = rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 40))
)

// genList makes empty lists nil, as the decoders do.
func genList[T any](elem *rapid.Generator[T], most int) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		if s := rapid.SliceOfN(elem, 0, most).Draw(t, "list"); len(s) > 0 {
			return s
		}
		return nil
	})
}

var genResult = rapid.Custom(func(t *rapid.T) window.Result {
	return window.Result{
		Metric: rapid.StringN(0, 12, -1).Draw(t, "metric"), Definition: genHash.Draw(t, "definition"),
		Start: genMillis.Draw(t, "start"), End: genMillis.Draw(t, "end"),
		Group: genList(rapid.String(), 3).Draw(t, "group"),
		Kind:  window.Kind(rapid.IntRange(1, 4).Draw(t, "kind")), Revision: rapid.IntRange(0, math.MaxInt32).Draw(t, "revision"),
		Value: genNumber.Draw(t, "value"), Aggregates: genList(genNumber, 3).Draw(t, "aggregates"),
		Count: rapid.Int64().Draw(t, "count"), Truncated: rapid.Bool().Draw(t, "truncated"), Seq: rapid.Uint64().Draw(t, "seq"),
	}
})

var genSchema = rapid.Custom(func(t *rapid.T) processing.Schema {
	start := rapid.Custom(func(t *rapid.T) processing.SchemaStart {
		return processing.SchemaStart{Partition: genPart.Draw(t, "partition"), From: genOffset.Draw(t, "from")}
	})
	return processing.Schema{
		Ref:              schemas.Ref{Framing: schemas.Framing(rapid.Byte().Draw(t, "framing")), ID: rapid.Uint64().Draw(t, "id")},
		RegisteredSchema: processing.RegisteredSchema{Type: rapid.String().Draw(t, "type"), Text: rapid.String().Draw(t, "text")},
		Starts:           genList(start, 4).Draw(t, "starts"),
	}
})

var genEntry = rapid.Custom(func(t *rapid.T) processing.Entry {
	e := processing.Entry{AtMs: rapid.Int64Range(0, 1<<45).Draw(t, "at")}
	switch rapid.IntRange(0, 3).Draw(t, "type") {
	case 0:
		r := genResult.Draw(t, "result")
		e.Type, e.Result = processing.ResultEntry, &r
	case 2:
		a := genAlert.Draw(t, "alert")
		e.Type, e.Alert = processing.AlertEntry, &a
	case 1:
		e.Type, e.DeadLetter = processing.DeadLetterEntry, &processing.DeadLetter{
			Reason: rapid.String().Draw(t, "reason"), Detail: rapid.String().Draw(t, "detail"), Topic: genTopic.Draw(t, "topic"),
			Partition: genPart.Draw(t, "partition"), Offset: genOffset.Draw(t, "offset"), SchemaID: rapid.Int32().Draw(t, "schema"),
			Key: genBlob.Draw(t, "key"), Value: genBlob.Draw(t, "value"), Truncated: rapid.Bool().Draw(t, "truncated"),
		}
	default:
		l := &processing.Late{Topic: genTopic.Draw(t, "topic"), Partition: genPart.Draw(t, "partition"), Count: rapid.Int64().Draw(t, "count")}
		if m := rapid.MapOfN(rapid.String(), rapid.Int64(), 0, 3).Draw(t, "by definition"); len(m) > 0 {
			l.ByDefinition = m
		}
		l.Samples = genList(rapid.Custom(func(t *rapid.T) processing.LateSample {
			return processing.LateSample{Offset: genOffset.Draw(t, "offset"), EventTimeMs: genMillis.Draw(t, "time")}
		}), 3).Draw(t, "samples")
		e.Type, e.Late = processing.LateEntry, l
	}
	return e
})

var genCursor = rapid.Custom(func(t *rapid.T) processing.Cursor {
	return processing.Cursor{
		ClusterID: rapid.String().Draw(t, "cluster"), TopicID: genHash.Draw(t, "topic id"), Topic: genTopic.Draw(t, "topic"),
		Partition: genPart.Draw(t, "partition"), Next: genOffset.Draw(t, "next"), Max: genMillis.Draw(t, "max"),
		HeldFrom: genOffset.Draw(t, "held from"), HeldMax: genMillis.Draw(t, "held max"), LeaderEpoch: rapid.Int32().Draw(t, "epoch"),
		Anchor: processing.Anchor{Offset: genOffset.Draw(t, "anchor"), Hash: rapid.Uint64().Draw(t, "anchor hash")}, Start: genOffset.Draw(t, "start"),
	}
})

// sameBits tells -0 from 0 and takes NaN for equal to itself.
var sameBits = cmp.Options{
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmpopts.EquateEmpty(),
}

// noDiff fails the test when two values differ.
func noDiff(t interface {
	Helper()
	Fatalf(string, ...any)
}, got, want any, options ...cmp.Option) {
	t.Helper()
	if d := cmp.Diff(want, got, options...); d != "" {
		t.Fatalf("difference (-want +got):\n%s", d)
	}
}
