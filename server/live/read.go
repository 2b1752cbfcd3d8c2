package live

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// filter picks metrics by rank; nil picks all of them.
type filter map[int]bool

func (f filter) takes(metric int) bool { return f == nil || f[metric] }

// name is the same for filters that take the same.
func (f filter) name() string {
	if f == nil {
		return "all"
	}
	return fmt.Sprint(slices.Sorted(maps.Keys(f)))
}

// picture is what a reader learns of the board at one version.
type picture struct {
	version   uint64
	seq       uint64
	watermark event.Millis
	rows      [][]byte // JSON; not to be changed
	removed   []string // keys
}

// snapshot is everything that the filter takes, by metric, window start and group.
func (b *Board) snapshot(f filter) picture {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pictureLocked()
	for _, c := range b.aliveLocked(f) {
		p.rows = append(p.rows, b.jsonLocked(c))
	}
	return p
}

// delta is what changed after a version. It reports false when that can't be told any more.
func (b *Board) delta(f filter, since uint64) (picture, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pictureLocked()
	if since < b.forgotten {
		return p, false
	}
	for e := b.order.Back(); e != nil; e = e.Prev() {
		c := e.Value.(*cell)
		if c.changed <= since {
			break
		}
		switch {
		case !f.takes(c.metric):
		case c.tomb == nil:
			p.rows = append(p.rows, b.jsonLocked(c))
		case c.created <= since:
			p.removed = append(p.removed, c.key)
		}
	}
	slices.Reverse(p.rows)
	slices.Sort(p.removed) // many leave at once, in no order
	return p, true
}

// wait returns the version and a channel that is closed when it is no longer the last one.
func (b *Board) wait() (uint64, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.version, b.changed
}

// newest is the version of the last change.
func (b *Board) newest() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version
}

func (b *Board) pictureLocked() picture {
	return picture{version: b.version, seq: b.seq, watermark: b.watermark}
}

func (b *Board) aliveLocked(f filter) []*cell {
	var alive []*cell
	for _, mr := range b.metrics {
		if !f.takes(mr.rank) {
			continue
		}
		from := len(alive)
		for _, c := range mr.finals {
			alive = append(alive, c)
		}
		for _, c := range mr.open {
			alive = append(alive, c)
		}
		slices.SortFunc(alive[from:], func(x, y *cell) int {
			return cmp.Or(cmp.Compare(x.start, y.start), cmp.Compare(x.group, y.group))
		})
	}
	return alive
}

// Latest is what the board holds of one metric.
type Latest struct {
	Seq       uint64
	Watermark event.Millis
	Final     []window.Result // of the newest closed window that has any, by group
	Open      []window.Result // provisional, by window start and group
}

// latest is what the board holds of a metric.
func (b *Board) latest(metric string) Latest {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := Latest{Seq: b.seq, Watermark: b.watermark}
	mr := b.byName[metric]
	for _, c := range b.aliveLocked(filter{mr.rank: true}) {
		switch {
		case c.result.Kind == window.Provisional:
			l.Open = append(l.Open, c.result)
		case len(l.Final) > 0 && l.Final[0].Start < c.start:
			l.Final = append(l.Final[:0], c.result)
		default:
			l.Final = append(l.Final, c.result)
		}
	}
	return l
}
