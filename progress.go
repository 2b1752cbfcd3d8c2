package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// progress shows how far long work has come: a line that is drawn over on a terminal, a log line now and then elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	logger   *slog.Logger
	what     string
	total    int64
	began    time.Time
	shown    time.Time
	drawn    bool
}

const (
	drawEvery = 100 * time.Millisecond
	logEvery  = 10 * time.Second
	barWidth  = 28
)

func newProgress(std *streams, logger *slog.Logger, what string, total int64) *progress {
	now := time.Now()
	return &progress{out: std.err, terminal: std.terminal, logger: logger, what: what, total: max(1, total), began: now, shown: now}
}

func (p *progress) update(done int64) {
	now := time.Now()
	every := logEvery
	if p.terminal {
		every = drawEvery
	}
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	rate := float64(done) / now.Sub(p.began).Seconds()
	left := time.Duration(float64(max(0, p.total-done)) / max(rate, 1) * float64(time.Second)).Round(time.Second)
	if !p.terminal {
		p.logger.Info(p.what, "done", done, "total", p.total, "per_second", int64(rate), "left", left)
		return
	}
	share := min(1, float64(done)/float64(p.total))
	full := int(share * barWidth)
	p.drawn = true
	fmt.Fprintf(p.out, "\r%s  %s%s %3.0f %%  %s/s  %s left \x1b[K", p.what,
		strings.Repeat("━", full), strings.Repeat("─", barWidth-full), share*100, count(int64(rate)), left)
}

// end removes the line.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// count writes a number as people read it.
func count(n int64) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%.0f M", float64(n)/1e6)
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f M", float64(n)/1e6)
	case n >= 10_000:
		return fmt.Sprintf("%.0f k", float64(n)/1e3)
	default:
		return fmt.Sprint(n)
	}
}
