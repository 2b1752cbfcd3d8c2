package window

import (
	"bytes"
	"slices"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// page is one closed window.
type page struct {
	published []Result // see Emission.Published; sequences are set by whoever appends them to the feed
	ranks     map[string]int
	changed   bool       // by the last publish
	digest    digest.Sum // what the window adds to the metric's
	heard     int        // revisions go on above it, see Book.Hear
	late      bool       // there are rows that the final did not count, or may be
	marked    bool
	corrected time.Time
}

// publish replaces what the window has published and returns what that changes, by group, retracts last.
//
// A group that is new starts above all revisions so far: it may have been published and retracted before, which nobody
// remembers after a restart. Whatever took its place then has reached the revision of its retract. Where `having` drops
// groups nothing takes their place: their retracts are kept.
func (pg *page) publish(m *definition.Metric, start event.Millis, ev evaluation, kind Kind) []*Result {
	before := make(map[string]*Result, len(pg.published))
	highest := pg.heard
	for i := range pg.published {
		before[groupID(pg.published[i].Group)] = &pg.published[i]
		highest = max(highest, pg.published[i].Revision)
	}
	results := make([]Result, 0, len(ev.rows)+1)
	ranks := make(map[string]int, len(ev.rows))
	fresh := make(map[string]bool, len(ev.rows))
	for rank, row := range ev.rows {
		r := resultOf(m, start, row, ev.truncated)
		id := groupID(r.Group)
		ranks[id] = rank
		r.Kind, r.Revision = kind, highest+1
		old := before[id]
		switch {
		case old == nil:
			fresh[id] = true
		case old.Kind == Retract || !sameNumbers(old, &r) || pg.ranks[id] != rank:
			r.Revision = max(old.Revision, pg.heard) + 1
			fresh[id] = true
		default:
			r.Kind, r.Revision, r.Seq = old.Kind, old.Revision, old.Seq
		}
		results = append(results, r)
	}
	gone := pg.gone(ranks)
	if ev.withheld(m) && len(pg.published) == 0 {
		results = append(results, withheldResult(m, start))
	}
	pg.changed = len(fresh) > 0 || len(gone) > 0 || len(results) > len(ev.rows)
	if m.Having != nil {
		results = pg.keepRetracts(results, ranks, gone)
	}
	slices.SortFunc(results, func(a, b Result) int { return slices.Compare(a.Group, b.Group) })
	var changed []*Result
	for i := range results {
		if fresh[groupID(results[i].Group)] {
			changed = append(changed, &results[i])
		}
	}
	pg.published, pg.ranks = results, ranks
	return append(changed, gone...)
}

// gone are the retracts of the groups that were published and have no rank any more.
func (pg *page) gone(ranks map[string]int) []*Result {
	var gone []*Result
	for _, old := range pg.published {
		if _, ok := ranks[groupID(old.Group)]; ok || old.Kind == Retract {
			continue
		}
		r := old
		r.Kind, r.Revision, r.Value = Retract, max(old.Revision, pg.heard)+1, definition.Number{}
		gone = append(gone, &r)
	}
	return gone
}

// keepRetracts appends the retracts of all groups without a rank, old and new ones.
func (pg *page) keepRetracts(results []Result, ranks map[string]int, gone []*Result) []Result {
	for _, old := range pg.published {
		if _, ok := ranks[groupID(old.Group)]; !ok && old.Kind == Retract {
			results = append(results, old)
		}
	}
	for _, r := range gone {
		results = append(results, *r)
	}
	return results
}

// withheld reports whether the window of a metric without groups has events, but nothing to show.
func (ev *evaluation) withheld(m *definition.Metric) bool {
	return len(m.Keys) == 0 && ev.took && len(ev.rows) == 0
}

// withheldResult tells that a window is not empty although it has no row.
func withheldResult(m *definition.Metric, start event.Millis) Result {
	return Result{Metric: m.Name, Definition: m.Hash, Start: start, End: start + m.Size, Kind: Retract}
}

func resultOf(m *definition.Metric, start event.Millis, row Row, truncated bool) Result {
	return Result{
		Metric: m.Name, Definition: m.Hash, Start: start, End: start + m.Size,
		Group: Groups(m, row.Key), Value: row.Value, Aggregates: row.Aggregates, Count: row.Count, Truncated: truncated,
	}
}

// Groups renders a row's group, one value for each of the metric's keys.
func Groups(m *definition.Metric, key []byte) []string {
	if len(m.Keys) == 0 {
		return nil
	}
	group := AppendGroup(make([]string, 0, len(m.Keys)), key)
	for len(group) < len(m.Keys) { // (other) stands for every key
		group = append(group, group[0])
	}
	return group
}

// groupID makes one comparable string of a rendered group.
func groupID(group []string) string {
	var b bytes.Buffer
	for _, g := range group {
		b.WriteString(g)
		b.WriteByte(0)
	}
	return b.String()
}

func sameNumbers(a, b *Result) bool {
	return a.Value == b.Value && a.Count == b.Count && a.Truncated == b.Truncated && slices.Equal(a.Aggregates, b.Aggregates)
}
