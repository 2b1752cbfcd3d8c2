package live

import (
	"maps"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing/event"
)

// checkLog looks whether a log's next frame is the one that the feed calls for.
func (v *visitor) checkLog(l *link, s *follow, f *frame) {
	l.feed.mu.Lock()
	defer l.feed.mu.Unlock()
	var fair bool
	switch {
	case f.Op == "ack" && !s.started:
		s.epoch = l.epoch
		fair = f.Seq <= l.feed.head
	case f.Op == "ack":
		fair = f.Seq == s.seq
	case f.Op == "entry":
		next := l.feed.seqs(s.seq)
		fair = s.epoch == l.epoch && len(next) > 0 && next[0] == f.Seq
	case f.Reason == "gap":
		fair = s.epoch == l.epoch && s.seq < l.feed.dropped && f.Seq <= l.feed.dropped && f.Seq > s.seq
	case f.Reason == "epoch_changed":
		fair = s.epoch != l.epoch && f.Seq <= l.feed.dropped
		s.epoch = l.epoch
	}
	if !fair {
		v.world.t.Errorf("%s: %+v at %d of %s; the feed of %s has %v", v.name, f, s.seq, s.epoch, l.epoch, l.feed.seqs(s.seq))
	}
}

// judge compares what was held with the history of the server that runs.
func (v *visitor) judge() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.seen {
		f, history := one.follow, v.world.history
		at := f.at
		for at < len(history) && !f.sees(&history[at], &one) {
			at++
		}
		if at == len(history) {
			v.world.t.Errorf("%s holds what the server never held, after %s", v.name, one.frame)
			for _, m := range history[f.at:] {
				if m.seq == one.seq {
					v.world.t.Errorf("version %d at %d, watermark %d (-server +client):\n%s", m.version, m.seq, m.watermark, gocmp.Diff(f.part(m.rows), one.rows))
				}
			}
			continue
		}
		f.at = at
	}
	v.seen = nil
}

// sees reports whether a sighting is of a moment.
func (f *follow) sees(m *moment, one *sighting) bool {
	sameTime := one.w == nil && m.watermark == event.NoTime || one.w == any(m.watermark)
	return m.seq == one.seq && sameTime && maps.EqualFunc(f.part(m.rows), one.rows, shown.same)
}

func (s shown) same(o shown) bool {
	return maps.Equal(s.Group, o.Group) && s.Key == o.Key && s.Metric == o.Metric && s.Start == o.Start && s.Kind == o.Kind && s.Value == o.Value && s.None == o.None
}

// part is what a subscription takes of the board.
func (f *follow) part(rows map[string]shown) map[string]shown {
	part := make(map[string]shown)
	for key, r := range rows {
		if f.metrics == nil || slices.Contains(f.metrics, r.Metric) {
			part[key] = r
		}
	}
	return part
}

// assertUpToDate is for when nothing happens any more.
func (v *visitor) assertUpToDate() {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.world.history[len(v.world.history)-1]
	for name, f := range v.link.subs {
		if f.channel == channelAlerts {
			if missing := v.link.feed.seqs(f.seq); len(missing) > 0 {
				v.world.t.Errorf("%s: lacks the alerts %v", v.name, missing)
			}
			continue
		}
		if diff := gocmp.Diff(f.part(now.rows), f.rows); diff != "" || f.seq != now.seq {
			v.world.t.Errorf("%s: %s at %d (-server +client):\n%s", v.name, name, f.seq, diff)
		}
	}
}
