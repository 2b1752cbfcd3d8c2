package processing_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/processing/window"
)

// digestOracle computes the digests of a state in the plainest way, from all rows that its log had at its cursors: no
// panes, no commits, nothing that is merged, taken back or kept. It knows JSON, and neither max_groups nor gaps.
type digestOracle struct {
	plan  *definition.Plan
	state *processing.State
	from  map[definition.Hash]event.Millis
	rows  []oracleRow // of events
}

// oracleRow is an event or a closed session.
type oracleRow struct {
	order  event.Order
	before event.Millis // W_p as it stood before the record
	values []event.Value
}

func oracleDigests(t *testing.T, plan *definition.Plan, log *memory.Log, state *processing.State) map[definition.Hash]digest.Tally {
	o := &digestOracle{plan: plan, state: state, from: make(map[definition.Hash]event.Millis)}
	for _, s := range state.Definitions {
		o.from[s.Hash] = s.From
	}
	for _, c := range state.Cursors {
		o.read(t, c.Partition, log.Records(c.Partition)[:c.Next])
	}
	tallies := make(map[definition.Hash]digest.Tally)
	closed := make([][]oracleRow, len(plan.Sessions))
	for i := range plan.Sessions {
		k := &plan.Sessions[i]
		tallies[k.Hash], closed[i] = o.sessions(k)
	}
	finals := make([][]alert.Final, len(plan.Metrics))
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		rows, space := o.rows, &plan.Events
		if m.From != definition.FromEvents {
			rows, space = closed[m.From], &plan.Sessions[m.From].Closed
		}
		tallies[m.Hash], finals[i] = o.windows(m, space, rows)
	}
	for i := range plan.Rules {
		r := &plan.Rules[i]
		tallies[r.Hash] = o.transitions(r, finals[r.Metric])
	}
	return tallies
}

// read judges the records of a partition, up to its cursor.
func (o *digestOracle) read(t *testing.T, p event.PartitionID, records []event.Record) {
	highest := event.NoTime // M_p
	for _, rec := range records {
		var fields map[string]any
		if json.Unmarshal(rec.Value, &fields) != nil {
			continue
		}
		row := oracleRow{before: event.NoTime, values: make([]event.Value, o.plan.Events.Slots)}
		for i, path := range o.plan.Paths {
			switch v := fields[path[0]].(type) {
			case string:
				row.values[i] = event.StringValue([]byte(v))
			case float64:
				row.values[i] = event.IntValue(int64(v))
			}
		}
		derive(&o.plan.Events, row.values)
		time := event.Millis(row.values[o.plan.TimeSlot].Int())
		if time > rec.Timestamp+o.plan.Source.MaxFutureSkew {
			t.Fatal("the oracle knows no times from the future")
		}
		row.order = event.Order{Time: time, Coordinate: event.Coordinate{Partition: p, Offset: rec.Offset}}
		if highest != event.NoTime {
			row.before = highest - o.plan.Source.OutOfOrderness - 1
		}
		for _, f := range o.state.Floors {
			if f.Partition == p && f.Offset <= rec.Offset {
				row.before = max(row.before, f.Floor)
			}
		}
		o.rows = append(o.rows, row)
		highest = max(highest, min(time, rec.Timestamp))
	}
}

func derive(space *definition.Space, values []event.Value) {
	for _, d := range space.Derived {
		values[d.Slot] = d.Eval(values)
	}
}

// windows sums up the windows of a metric that W has passed, and returns their finals.
func (o *digestOracle) windows(m *definition.Metric, space *definition.Space, rows []oracleRow) (digest.Tally, []alert.Final) {
	g := &o.plan.Groupings[m.Grouping]
	all := make(map[event.Millis][]oracleRow)
	paneEnd := func(r *oracleRow) event.Millis {
		return definition.Clock{Width: g.Width, Offset: g.Offset}.PaneStart(r.order.Time) + g.Width
	}
	for _, r := range rows {
		if r.before >= paneEnd(&r)-1+m.Lateness {
			continue // late
		}
		for s := (definition.Clock{Width: m.Slide, Offset: m.Offset}).PaneStart(r.order.Time); s+m.Size > r.order.Time; s -= m.Slide {
			if s >= o.from[m.Hash] && s+m.Size-1 <= o.state.Watermark {
				all[s] = append(all[s], r)
			}
		}
	}
	var tally digest.Tally
	var finals []alert.Final
	for _, start := range slices.Sorted(maps.Keys(all)) {
		end := start + m.Size
		timely := slices.DeleteFunc(slices.Clone(all[start]), func(r oracleRow) bool {
			return r.before >= paneEnd(&r)-1 && paneEnd(&r)+m.Lateness > end
		})
		final := o.publish(m, space, timely)
		counted := final
		if o.state.Watermark >= end-1+m.Lateness {
			counted = o.publish(m, space, all[start])
		}
		var sum digest.Sum
		for i := range counted {
			sum = sum.Plus(digest.Of(counted[i].fact(m, start)))
		}
		if len(counted) > 0 {
			tally.Add(sum)
		}
		if len(timely) > 0 {
			f := alert.Final{Start: start, End: end}
			for i := range final {
				f.Rows = append(f.Rows, final[i].Row)
			}
			finals = append(finals, f)
		}
	}
	return tally, finals
}

// oracleGroup is one group of a window.
type oracleGroup struct {
	alert.Row
	key     []byte
	rows    []oracleRow
	columns []aggregate.Column // its count, then its aggregates
}

// publish computes the groups that a window publishes.
func (o *digestOracle) publish(m *definition.Metric, space *definition.Space, rows []oracleRow) []*oracleGroup {
	groups := make(map[string]*oracleGroup)
	for _, r := range rows {
		g := o.groupOf(m, &r)
		if groups[string(g.key)] == nil {
			groups[string(g.key)] = g
		}
		groups[string(g.key)].rows = append(groups[string(g.key)].rows, r)
	}
	var ranked []*oracleGroup
	for _, g := range groups {
		o.compute(m, space, g, rows)
		if g.Count > 0 && (m.Having == nil || m.Having(g.Value, g.Aggregates, g.Count, float64(m.Size)/1000)) {
			ranked = append(ranked, g)
		}
	}
	slices.SortFunc(ranked, func(a, b *oracleGroup) int {
		if a.Value.Valid != b.Value.Valid {
			return map[bool]int{true: -1, false: 1}[a.Value.Valid]
		}
		return cmp.Or(cmp.Compare(b.Value.Float, a.Value.Float), bytes.Compare(a.key, b.key))
	})
	if len(m.Keys) == 0 || len(ranked) <= m.Limit {
		return ranked
	}
	rest := &oracleGroup{key: []byte{0xFF}}
	for range m.Keys {
		rest.Group = append(rest.Group, "(other)")
	}
	for _, g := range ranked[m.Limit:] {
		rest.rows = append(rest.rows, g.rows...)
	}
	if ranked = ranked[:m.Limit]; m.Additive() {
		o.compute(m, space, rest, rows)
		ranked = append(ranked, rest)
	}
	return ranked
}

// groupOf encodes and renders a row's group.
func (o *digestOracle) groupOf(m *definition.Metric, r *oracleRow) *oracleGroup {
	g := &oracleGroup{}
	for _, k := range o.plan.Groupings[m.Grouping].Keys {
		v := &r.values[k.Slot]
		if v.IsNull() {
			g.key, g.Group = append(g.key, 1), append(g.Group, "(none)")
			continue
		}
		text := string(v.AppendText(nil))
		g.key = append(append(append(g.key, 2), text...), 0, 1)
		if bare := strings.TrimLeft(text, `\`); bare == "(none)" || bare == "(other)" {
			text = `\` + text
		}
		g.Group = append(g.Group, text)
	}
	return g
}

// compute adds the rows of a group up; totals are of everything in the window.
func (o *digestOracle) compute(m *definition.Metric, space *definition.Space, g *oracleGroup, all []oracleRow) {
	add := func(c *definition.Column, rows []oracleRow) aggregate.Column {
		sum := aggregate.New(c.Kind)
		sum.Grow(1)
		passes := func(r *oracleRow) bool {
			return c.AnyOf == nil && c.Where == definition.NoFilter || c.AnyOf == nil && space.Filters[c.Where].Eval(r.values) ||
				slices.ContainsFunc(c.AnyOf, func(f int) bool { return space.Filters[f].Eval(r.values) })
		}
		for i := range rows {
			addTo(sum, c, &rows[i], passes(&rows[i]))
		}
		return sum
	}
	columns := o.plan.Groupings[m.Grouping].Columns
	count := add(&columns[m.Count], g.rows)
	taken := count.Result(0, 0)
	g.columns, g.Aggregates, g.Count = []aggregate.Column{count}, nil, taken.Int()
	for _, a := range m.Aggregates {
		var c aggregate.Column
		if a.Total {
			c = add(&o.plan.Groupings[m.Total].Columns[a.Column], all)
		} else {
			c = add(&columns[a.Column], g.rows)
		}
		v := c.Result(0, a.Quantile)
		f, ok := v.Number()
		g.columns, g.Aggregates = append(g.columns, c), append(g.Aggregates, definition.Number{Float: f, Valid: ok})
	}
	g.Value = m.Formula(g.Aggregates, float64(m.Size)/1000)
}

func addTo(sum aggregate.Column, c *definition.Column, r *oracleRow, passes bool) {
	if !passes {
		return
	}
	in := aggregate.Input{At: r.order}
	if c.Slot != definition.NoSlot {
		in.Value, in.Hash = &r.values[c.Slot], r.values[c.Slot].Hash()
	}
	sum.Add(0, &in)
}

func (g *oracleGroup) fact(m *definition.Metric, start event.Millis) []byte {
	fact := append([]byte("window 1"), m.Hash[:]...)
	fact = binary.BigEndian.AppendUint64(fact, uint64(start))
	fact = binary.BigEndian.AppendUint64(fact, uint64(start+m.Size))
	fact = append(append(binary.AppendUvarint(fact, uint64(len(g.key))), g.key...), 0)
	for _, c := range g.columns {
		fact = aggregate.AppendFact(fact, c, 0)
	}
	return fact
}

// transitions lets a rule judge all finals at once.
func (o *digestOracle) transitions(r *definition.Rule, finals []alert.Final) (tally digest.Tally) {
	m := &o.plan.Metrics[r.Metric]
	var empty *alert.Row
	if row, published := window.Empty(m, m.Size); published && len(m.Keys) == 0 {
		empty = &alert.Row{Value: row.Value, Aggregates: row.Aggregates, Count: row.Count}
	}
	finals = slices.DeleteFunc(slices.Clone(finals), func(f alert.Final) bool { return f.End-1 <= o.from[r.Hash] })
	for _, turn := range alert.New(r, m, empty).Judge(o.from[r.Hash], o.state.Watermark, finals) {
		fact := append([]byte("alert 1"), r.Hash[:]...)
		for _, v := range turn.Alert.Values() {
			fact = append(binary.AppendUvarint(fact, uint64(len(v))), v...)
		}
		fact = binary.BigEndian.AppendUint64(fact, uint64(turn.Alert.StartedAt))
		fact = binary.BigEndian.AppendUint64(fact, uint64(turn.At))
		tally.Add(digest.Of(append(fact, byte(turn.State))))
	}
	return tally
}
