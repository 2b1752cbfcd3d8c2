package store

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing"
)

func TestDecisionsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap := processing.Gap{
			TopicID: genHash.Draw(t, "topic id"), Topic: genTopic.Draw(t, "topic"), Partition: genPart.Draw(t, "partition"), From: genOffset.Draw(t, "from"),
			Dropped: genOffset.Draw(t, "dropped"), To: genOffset.Draw(t, "to"), Reason: rapid.String().Draw(t, "reason"), AtMs: rapid.Int64().Draw(t, "at"),
		}
		gotGap, err := decodeGap(appendGapKey(nil, &gap), appendGap(nil, &gap))
		noFault(t, err)
		noDiff(t, gotGap, gap)

		fault := processing.Fault{
			TopicID: genHash.Draw(t, "topic id"), Topic: gap.Topic, Partition: gap.Partition, Next: gap.From,
			Kind: processing.FaultKind(rapid.String().Draw(t, "kind")), Detail: rapid.String().Draw(t, "detail"), AtMs: gap.AtMs,
		}
		gotFault, err := decodeFault(appendFaultKey(nil, fault.Topic, fault.Partition), appendFault(nil, &fault))
		noFault(t, err)
		noDiff(t, gotFault, fault)
	})
}

func FuzzDecodeDecisions(f *testing.F) {
	gapKey, faultKey := appendGapKey(nil, &processing.Gap{Topic: "events", To: 7, AtMs: 8}), appendFaultKey(nil, "events", 3)
	f.Add(appendGap(nil, &processing.Gap{From: 6, Dropped: 1, Reason: "tail_lost"}))
	f.Add(appendFault(nil, &processing.Fault{Kind: processing.Diverged, Detail: "x", Next: 9, AtMs: 10}))
	f.Fuzz(func(t *testing.T, value []byte) {
		if g, err := decodeGap(gapKey, value); err == nil {
			again, err := decodeGap(gapKey, appendGap(nil, &g))
			noFault(t, err)
			noDiff(t, again, g)
		}
		if s, err := decodeFault(faultKey, value); err == nil {
			again, err := decodeFault(faultKey, appendFault(nil, &s))
			noFault(t, err)
			noDiff(t, again, s)
		}
	})
}
