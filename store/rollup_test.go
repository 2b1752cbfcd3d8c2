package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// settler makes commits that settle panes of a few groupings, in the order of their starts, with gaps of any length.
type settler struct {
	rng   *rand.Rand
	at    event.Millis
	panes []processing.PaneChange // all that were ever committed
}

// The groupings of a settler: panes of 5 s, of 7 s which divide no minute, of a minute, of an hour, of a day, and of two.
var settlerWidths = []event.Millis{5_000, 7_000, 60_000, 3_600_000, 86_400_000, 2 * 86_400_000}

func settlerHash(i int) definition.Hash { return definition.Hash{0xf0, byte(i)} }

func (s *settler) next() *processing.Changes {
	step := []event.Millis{20_000, 70_000, 600_000, 4_000_000, 50_000_000, 200_000_000}[s.rng.IntN(6)]
	from := s.at
	s.at += event.Millis(s.rng.Int64N(int64(step)) + 1)
	c := &processing.Changes{Watermark: s.at, AtMs: int64(s.at)}
	for i, width := range settlerWidths {
		clock := definition.Clock{Width: width, Offset: 3_000}
		first := clock.PaneStart(from + width - 1)
		stride := max(1, (s.at-first)/width/8) * width // a few of them, however long the step was
		for t := first; t < s.at; t += stride {
			if s.rng.IntN(3) > 0 {
				c.Panes = append(c.Panes, processing.PaneChange{
					PaneKey: processing.PaneKey{Grouping: settlerHash(i), Start: t}, Op: processing.PaneSettle, Width: width, Block: randomBlock(s.rng),
				})
			}
		}
	}
	s.panes = append(s.panes, c.Panes...)
	return c
}

// check compares what cells of every resolution hold with the panes that were committed: the n first.
func (s *settler) check(t *testing.T, st *Store, panes []processing.PaneChange) {
	t.Helper()
	v := mustView(t, st)
	defer v.Close()
	for _, res := range append([]event.Millis{0}, Resolutions[:]...) {
		for i := range settlerWidths {
			unit := max(res, 1)
			from, to := floorTo(s.at/3, unit), floorTo(s.at*2/3, unit)
			want, got := map[event.Millis]string{}, map[event.Millis]string{}
			for _, p := range panes {
				if p.Grouping == settlerHash(i) && p.Start >= from && p.Start < to {
					want[floorTo(p.Start, unit)] += string(p.Block)
				}
			}
			noFault(t, v.Cells(settlerHash(i), res, from, to, func(start event.Millis, block []byte) error {
				got[floorTo(start, unit)] += string(block)
				return nil
			}))
			for _, blocks := range []map[event.Millis]string{want, got} {
				for start, text := range blocks {
					sorted := []byte(text)
					slices.Sort(sorted)
					blocks[start] = string(sorted)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("grouping %d, resolution %d, [%d, %d) (-panes +cells):\n%s", i, res, from, to, diff)
			}
		}
	}
}

// Whatever settles when, wherever the process dies, cells hold what the panes hold.
func TestCellsHoldWhatPanesHold(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			run := &settler{rng: rand.New(rand.NewPCG(7, seed)), at: []event.Millis{0, -200_000_000, 1_735_689_600_000}[seed%3]}
			options := func() Options {
				o := testOptions(disk)
				o.Retention.Results, o.Retention.Rollups = 1000*24*time.Hour, 1000*24*time.Hour
				return o
			}
			s := mustOpen(t, "store", options())
			for range 60 {
				noFault(t, s.Commit(run.next()))
				switch run.rng.IntN(6) {
				case 0:
					run.check(t, s, run.panes)
				case 1: // dies: what was committed is there, as all commits are synced
					image := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: run.rng.IntN(101), RNG: run.rng})
					mustClose(t, s)
					disk = image
					s = mustOpen(t, "store", options())
				case 2:
					mustClose(t, s)
					s = mustOpen(t, "store", options())
				}
			}
			run.check(t, s, run.panes)
			mustClose(t, s)
		})
	}
}

// A year by the day is read in about as many blocks as it has days.
func TestLongViewsReadFewBlocks(t *testing.T) {
	const width, day, year = event.Millis(600_000), event.Millis(86_400_000), 365 * event.Millis(86_400_000)
	options := testOptions(vfs.NewMem())
	s := mustOpen(t, "store", options)
	defer mustClose(t, s)
	grouping := definition.Hash{1}
	for at := event.Millis(0); at < year; at += day {
		c := &processing.Changes{Watermark: at + day}
		for t := at; t < at+day; t += width {
			c.Panes = append(c.Panes, processing.PaneChange{PaneKey: processing.PaneKey{Grouping: grouping, Start: t}, Op: processing.PaneSettle, Width: width, Block: []byte("x")})
		}
		noFault(t, s.Commit(c))
	}
	for range 3 { // each level is rolled up by the commit after the one that made its parts
		noFault(t, s.Commit(&processing.Changes{Watermark: year}))
	}
	v := mustView(t, s)
	defer v.Close()
	for _, c := range []struct {
		res, from, to event.Millis
		panes, blocks int
	}{
		{day, 0, year, 365 * 144, 364 + 23 + 6}, // days, then the hours of the last, then the panes of its last
		{3_600_000, 300 * day, 330 * day, 30 * 144, 720},
		{0, 350 * day, 351 * day, 144, 144},
		{day, 350 * day, 351 * day, 144, 1},
	} {
		panes, blocks := 0, 0
		noFault(t, v.Cells(grouping, c.res, c.from, c.to, func(_ event.Millis, block []byte) error {
			panes, blocks = panes+len(block), blocks+1
			return nil
		}))
		if panes != c.panes || blocks > c.blocks {
			t.Errorf("[%d, %d) by %d: %d panes in %d blocks, want %d in at most %d", c.from, c.to, c.res, panes, blocks, c.panes, c.blocks)
		}
	}
}

// Panes and minutes are dropped with the results, hours and days much later; what is left says from when on it is whole.
func TestLongHistoryOutlivesPanes(t *testing.T) {
	if testing.Short() {
		t.Skip("writes forty days")
	}
	const hour, day = event.Millis(3_600_000), event.Millis(86_400_000)
	options := testOptions(vfs.NewMem())
	options.Retention.Results, options.Retention.Rollups = 5*24*time.Hour, 20*24*time.Hour
	s := mustOpen(t, "store", options)
	defer mustClose(t, s)
	grouping := definition.Hash{1}
	for at := event.Millis(0); at < 40*day; at += hour {
		c := &processing.Changes{Watermark: at}
		for t := at; t < at+hour; t += 600_000 {
			c.Panes = append(c.Panes, processing.PaneChange{PaneKey: processing.PaneKey{Grouping: grouping, Start: t}, Op: processing.PaneSettle, Width: 10_000, Block: []byte("x")})
		}
		noFault(t, s.Commit(c))
	}
	v := mustView(t, s)
	defer v.Close()
	for _, c := range []struct{ res, oldest event.Millis }{{0, 35 * day}, {60_000, 35 * day}, {hour, 20 * day}, {day, 20 * day}} {
		from, err := v.KeptFrom(c.res)
		noFault(t, err)
		if age := from - c.oldest; age < -2*hour || age > 0 {
			t.Errorf("resolution %d: whole from hour %d on, want about hour %d", c.res, from/hour, c.oldest/hour)
		}
		from = floorTo(from+max(c.res, 1)-1, max(c.res, 1))
		for _, want := range []struct {
			from, to event.Millis
			panes    int
		}{{from, 40 * day, int((40*day - from) / 600_000)}, {0, c.oldest - 3*day, 0}} {
			var blocks bytes.Buffer
			noFault(t, v.Cells(grouping, c.res, want.from, floorTo(want.to, max(c.res, 1)), func(_ event.Millis, block []byte) error {
				blocks.Write(block)
				return nil
			}))
			if blocks.Len() != want.panes {
				t.Errorf("resolution %d: [%d, %d) has %d panes, want %d", c.res, want.from/hour, want.to/hour, blocks.Len(), want.panes)
			}
		}
	}
}

// A pane that comes too late to be rolled up stops the commit: its cells would miss it.
func TestPanesSettleInOrder(t *testing.T) {
	s := mustOpen(t, "store", testOptions(vfs.NewMem()))
	defer mustClose(t, s)
	settle := func(start event.Millis) error {
		return s.Commit(&processing.Changes{Panes: []processing.PaneChange{{
			PaneKey: processing.PaneKey{Start: start}, Op: processing.PaneSettle, Width: 1000, Block: []byte("x"),
		}}})
	}
	for _, start := range []event.Millis{10_000, 200_000, 201_000} {
		noFault(t, settle(start))
	}
	if err := settle(59_000); err == nil || !strings.Contains(err.Error(), "rolled up to 180000") {
		t.Errorf("a pane behind its minute: %v", err)
	}
	if err := settle(300_000); !errors.Is(err, ErrFailed) {
		t.Errorf("the commit after it: %v", err)
	}
}
