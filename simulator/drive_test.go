package simulator

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

type writerFunc func([]event.Record) error

func (f writerFunc) Write(_ context.Context, records []event.Record) error { return f(records) }

func TestRunKeepsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := undisturbed() // so that a record arrives at its Kafka timestamp
		o.Rate = 50
		o.Start = event.Millis(time.Now().UnixMilli()) - 10*minute
		o.Duration = 12 * minute
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		const lag = 3 * time.Second
		begun, caughtUp, paced := time.Now(), 0, 0
		write := writerFunc(func(records []event.Record) error {
			now := event.Millis(time.Now().UnixMilli())
			for _, r := range records {
				wait := now - r.Timestamp - event.Millis(lag.Milliseconds())
				switch {
				case wait < 0:
					t.Errorf("written %d ms early", -wait)
				case time.Since(begun) == 0:
					caughtUp++
				default:
					if paced++; wait > event.Millis(tick.Milliseconds()) {
						t.Errorf("written %d ms late", wait)
					}
				}
			}
			return nil
		})
		var last Progress
		if err := Run(t.Context(), s, write, Pace{Lag: lag, Progress: func(p Progress) { last = p }}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 2*time.Minute || took > 2*time.Minute+2*lag {
			t.Errorf("twelve minutes, ten of them past, took %v", took)
		}
		if caughtUp < 5*paced/2 || paced < 1000 {
			t.Errorf("%d records were written at once and %d in time", caughtUp, paced)
		}
		if last.Records != int64(caughtUp+paced) || last.Bytes < 200*last.Records || last.EventTime < o.Start+o.Duration-second {
			t.Errorf("progress %+v after %d records", last, caughtUp+paced)
		}
	})
}

func TestRunUnpacedWritesEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		o.Count = 10_000
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		begun, written := time.Now(), 0
		write := writerFunc(func(records []event.Record) error { written += len(records); return nil })
		if err := Run(t.Context(), s, write, Pace{Unpaced: true}); err != nil {
			t.Fatal(err)
		}
		if written != 10_000 || time.Since(begun) != 0 {
			t.Errorf("%d records in %v", written, time.Since(begun))
		}
	})
}

func TestRunEnds(t *testing.T) {
	broken := errors.New("the disk is full")
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			end  func(context.CancelFunc) error // what a write does
			want error
		}{
			{"when told to", func(cancel context.CancelFunc) error { cancel(); return nil }, nil},
			{"when told to during a write", func(cancel context.CancelFunc) error { cancel(); return context.Canceled }, nil},
			{"with the writer's error", func(context.CancelFunc) error { return broken }, broken},
		} {
			o := options()
			o.Start = event.Millis(time.Now().UnixMilli())
			s, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			writes := 0
			err = Run(ctx, s, writerFunc(func([]event.Record) error { writes++; return c.end(cancel) }), Pace{})
			cancel()
			if !errors.Is(err, c.want) || writes != 1 {
				t.Errorf("%s: %v after %d writes", c.name, err, writes)
			}
		}
	})
}
