package processing_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// visit is an open session of the oracle: its events.
type visit struct {
	key  []byte // in canonical form
	rows []oracleRow
}

func (v *visit) first() event.Millis { return v.rows[0].order.Time }
func (v *visit) last() event.Millis  { return v.rows[len(v.rows)-1].order.Time }

// reasons are the bytes of why a session closed.
var reasons = map[string]byte{"gap": 0, "end": 1, "max_duration": 2, "evicted": 3}

// sessions cuts the events into sessions up to W: each shard by itself, every timer at its place in the total order. It
// returns those that have closed as rows.
func (o *digestOracle) sessions(k *definition.SessionKind) (tally digest.Tally, closed []oracleRow) {
	shards := make(map[int][]oracleRow)
	for _, r := range o.rows {
		key := &r.values[k.KeySlot]
		if !key.IsNull() && r.order.Time > r.before && r.order.Time <= o.state.Watermark && r.order.Time >= o.from[k.Hash] {
			shard := sequence.ShardOf(key.Hash())
			shards[shard] = append(shards[shard], r)
		}
	}
	for _, rows := range shards {
		open := make(map[string]*visit)
		end := func(v *visit, at event.Millis, reason string) {
			delete(open, string(v.key))
			row, fact := closedRow(k, v, at, reason)
			closed = append(closed, row)
			tally.Add(digest.Of(fact))
		}
		slices.SortFunc(rows, func(a, b oracleRow) int { return a.order.Compare(b.order) })
		for _, r := range rows {
			runTimers(k, open, r.order.Time, r.order.Time-1, end)
			key := sequence.AppendKey(nil, &r.values[k.KeySlot])
			ends := k.EndWhen != definition.NoFilter && o.plan.Events.Filters[k.EndWhen].Eval(r.values)
			if open[string(key)] == nil {
				if len(open) >= k.MaxOpen && !ends {
					end(slices.MinFunc(slices.Collect(maps.Values(open)), func(a, b *visit) int {
						return cmp.Or(cmp.Compare(a.last(), b.last()), bytes.Compare(a.key, b.key))
					}), r.order.Time, "evicted")
				}
				open[string(key)] = &visit{key: key}
			}
			v := open[string(key)]
			if v.rows = append(v.rows, o.withPasses(k, r)); ends {
				end(v, r.order.Time, "end")
			}
		}
		runTimers(k, open, o.state.Watermark, o.state.Watermark, end)
	}
	return tally, closed
}

// runTimers runs what is due, the earliest first: of max_duration up to one time, of the gap up to another.
func runTimers(k *definition.SessionKind, open map[string]*visit, duration, gap event.Millis, end func(*visit, event.Millis, string)) {
	for {
		var next *visit
		var at event.Millis
		var why string
		for _, v := range open {
			byDuration, byGap := v.first()+k.MaxDuration, v.last()+k.Gap
			switch {
			case byDuration <= byGap && byDuration <= duration && (next == nil || byDuration < at):
				next, at, why = v, byDuration, "max_duration"
			case byGap < byDuration && byGap <= gap && (next == nil || byGap < at):
				next, at, why = v, byGap, "gap"
			}
		}
		if next == nil {
			return
		}
		end(next, at, why)
	}
}

// withPasses appends to a row's values what the kind's filters say of it, so that a session needs the events' space no more.
func (o *digestOracle) withPasses(k *definition.SessionKind, r oracleRow) oracleRow {
	r.values = slices.Clone(r.values)
	for _, a := range k.Aggregates {
		r.values = append(r.values, event.BoolValue(a.Where == definition.NoFilter || o.plan.Events.Filters[a.Where].Eval(r.values)))
	}
	return r
}

// closedRow is a closed session as metrics see it, and its fact.
func closedRow(k *definition.SessionKind, v *visit, at event.Millis, reason string) (oracleRow, []byte) {
	last := v.rows[len(v.rows)-1]
	row := oracleRow{before: event.NoTime, order: event.Order{Time: at, Coordinate: last.order.Coordinate}, values: make([]event.Value, k.Closed.Slots)}
	row.values[definition.SessionKey] = last.values[k.KeySlot]
	row.values[definition.SessionDuration] = event.FloatValue(float64(v.last()-v.first()) / 1000)
	row.values[definition.SessionStart], row.values[definition.SessionEnd] = event.IntValue(int64(v.first())), event.IntValue(int64(v.last()))
	row.values[definition.SessionClosedAt] = event.IntValue(int64(at))
	row.values[definition.SessionReason] = event.StringValue([]byte(reason))
	row.values[definition.SessionEvents] = event.IntValue(int64(len(v.rows)))
	fact := append([]byte("session 1"), k.Hash[:]...)
	fact = append(binary.AppendUvarint(fact, uint64(len(v.key))), v.key...)
	for _, t := range []event.Millis{v.first(), v.last(), at} {
		fact = binary.BigEndian.AppendUint64(fact, uint64(t))
	}
	fact = binary.AppendUvarint(append(fact, reasons[reason]), uint64(len(v.rows)))
	for i, a := range k.Aggregates {
		c := aggregate.New(a.Kind)
		c.Grow(1)
		for j := range v.rows {
			passed := &v.rows[j].values[len(v.rows[j].values)-len(k.Aggregates)+i]
			addTo(c, &a.Column, &v.rows[j], passed.Bool())
		}
		row.values[definition.SessionFields+i] = c.Result(0, a.Quantile)
		fact = aggregate.AppendFact(fact, c, 0)
	}
	derive(&k.Closed, row.values)
	return row, fact
}
