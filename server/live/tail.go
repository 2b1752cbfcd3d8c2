package live

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/server/wire"
)

// tailPage is how many entries are read ahead for one client. It is all of the log that a client keeps in memory.
const tailPage = 64

// tail is a subscription of a log channel: every entry after a sequence, in order, read from the feed as fast as the client
// takes it.
//
//  1. seq is what the client holds: every entry up to it was sent, or is told as lost.
//  2. What the feed no longer has is told as a reset, never left out.
//  3. A sequence of another epoch means nothing here: such a client starts again from the first entry that is kept.
type tail struct {
	name    string
	seq     uint64
	epoch   string             // that seq is of
	looked  bool               // at what the feed has after seq
	page    []processing.Entry // read and not sent yet: after seq, in order
	pageSeq uint64             // what the client holds once page is sent
}

// maxSeq is the last sequence that every JSON reader holds exactly.
const maxSeq = 1<<53 - 1

// newTail reads what a subscription of a log can ask for.
func (h *Hub) newTail(m message, f *faults) (*tail, error) {
	t := &tail{name: m.Sub, epoch: h.Epoch}
	if m.Metrics != nil {
		f.add("/metrics", "the channel %q is not about metrics", channelAlerts)
	}
	if m.Backfill != nil {
		f.add("/backfill", "the channel %q goes back with \"after\"", channelAlerts)
	}
	if m.MaxHz != nil {
		f.add("/max_hz", "the channel %q tells every entry at once", channelAlerts)
	}
	switch {
	case m.After == nil && m.Epoch != nil:
		f.add("/epoch", "an epoch says what \"after\" is a sequence of: give both")
	case m.After == nil: // from now on
		p, err := h.Log.Alerts(0, 0)
		if err != nil {
			return nil, fmt.Errorf("read head of feed: %w", err)
		}
		t.seq, t.looked = p.Head, true
	case *m.After < 0 || *m.After > maxSeq:
		f.add("/after", "after is a whole number from 0 to %d", int64(maxSeq))
	default:
		t.seq = uint64(*m.After)
		if m.Epoch != nil {
			t.epoch = *m.Epoch
		}
	}
	return t, nil
}

func (t *tail) title() string { return t.name }

func (t *tail) news(n *news) (time.Duration, <-chan struct{}) {
	if t.looked && len(t.page) == 0 && t.seq >= n.seq {
		return 0, n.alerts
	}
	return 0, nil
}

func (t *tail) sent(time.Time) {}

// acknowledge says where the subscription begins, so that a client that sees no entry can resume too.
func (t *tail) acknowledge() subFrame { return subFrame{Op: "ack", Sub: t.name, Seq: &t.seq} }

// frame makes the frame of the next entry, or says that entries are lost.
func (t *tail) frame(_ context.Context, h *Hub, _ []byte) (frame []byte, more bool, err error) {
	if len(t.page) == 0 {
		reason, err := t.fill(h)
		if err != nil {
			return nil, false, err
		}
		if reason != "" {
			return encode(subFrame{Op: "reset", Sub: t.name, Reason: reason, Seq: &t.seq}), true, nil
		}
	}
	if len(t.page) == 0 {
		t.seq = t.pageSeq
		return nil, false, nil
	}
	e := &t.page[0]
	t.page, t.seq = t.page[1:], e.Seq
	if len(t.page) == 0 {
		t.seq = t.pageSeq
	}
	return encode(entryFrame{"entry", t.name, e.Seq, wire.AlertOf(e.Alert)}), len(t.page) > 0, nil
}

// fill reads the next entries. With a reason, there is no way to go on from seq, which has been moved to where there is.
func (t *tail) fill(h *Hub) (reason string, err error) {
	p, err := h.Log.Alerts(t.seq, tailPage)
	if err != nil {
		return "", fmt.Errorf("read feed after %d: %w", t.seq, err)
	}
	t.looked = true
	switch {
	case t.epoch != h.Epoch || t.seq > p.Head:
		reason = "epoch_changed"
	case p.Truncated:
		reason = "gap"
	default:
		t.page, t.pageSeq = p.Entries, p.Head
		if n := len(p.Entries); n > 0 {
			t.pageSeq = p.Entries[n-1].Seq // a page may end before the feed does, for whatever reason
		}
		return "", nil
	}
	t.epoch, t.seq = h.Epoch, p.First-1
	return reason, nil
}
