package live

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/processing/event"
)

// holder is what a client holds of one subscription: the oracle of the protocol. It does what docs/reference/live.md
// says that clients do, and complains about what it says that servers don't.
type holder struct {
	channel string
	started bool // the next frame may build on what is held
	seq     uint64
	w       *event.Millis
	rows    map[string]shown // of metrics
	log     []string         // of alerts: what was told, in order
}

// detach is the end of a subscription or of its connection. A log keeps its place.
func (h *holder) detach() {
	if h.channel == channelMetrics {
		h.started = false
	}
}

func (h *holder) apply(f *frame) error {
	switch f.Op {
	case "ack":
		if h.channel == channelAlerts && !h.started {
			h.started, h.seq = true, f.Seq
		}
		return nil
	case "reset":
		if h.channel == channelAlerts {
			h.log, h.seq = append(h.log, f.Reason), f.Seq
			return nil
		}
		if !h.started {
			return fmt.Errorf("reset (%s) of what has not begun", f.Reason)
		}
		h.started = false
		return nil
	case "entry":
		if !h.started || f.Seq <= h.seq {
			return fmt.Errorf("entry %d after %d", f.Seq, h.seq)
		}
		h.seq, h.log = f.Seq, append(h.log, f.Alert.ID)
		return nil
	case "snapshot":
		h.started, h.rows = true, make(map[string]shown, len(f.Rows))
	case "delta":
		if !h.started || f.From == nil || *f.From != h.seq {
			return fmt.Errorf("delta from %v to %d on %d (begun: %t)", f.From, f.Seq, h.seq, h.started)
		}
		for _, key := range f.Removed {
			delete(h.rows, key) // if it is there: it may have come and gone in between
		}
	default:
		return fmt.Errorf("frame %q of a subscription", f.Op)
	}
	for _, row := range f.Rows {
		h.rows[row.Key] = row
	}
	h.seq, h.w = f.Seq, f.W
	return nil
}

// String tells the state on one line.
func (h *holder) String() string {
	var b strings.Builder
	if h.started {
		fmt.Fprintf(&b, "seq %d", h.seq)
	} else {
		b.WriteString("waits")
	}
	if h.channel == channelAlerts {
		b.WriteString(": " + strings.Join(h.log, " "))
		return b.String()
	}
	if h.w != nil {
		fmt.Fprintf(&b, ", watermark %d", *h.w)
	}
	rows := make([]string, 0, len(h.rows))
	for _, key := range slices.Sorted(maps.Keys(h.rows)) {
		r := h.rows[key]
		group := ""
		for _, k := range slices.Sorted(maps.Keys(r.Group)) {
			group += " " + r.Group[k]
		}
		value := "null"
		if !r.None {
			value = strconv.FormatFloat(r.Value, 'g', -1, 64)
		}
		rows = append(rows, fmt.Sprintf("%s%s %s %s", key, group, r.Kind, value))
	}
	b.WriteString(": " + strings.Join(rows, "; "))
	return b.String()
}
