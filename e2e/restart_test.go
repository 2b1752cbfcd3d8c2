package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/simulator"
)

// A process that dies takes its memory with it, and what it had not synced: all of that must come back from the log.
func TestKilledAnywhereTheNumbersAreTheSame(t *testing.T) {
	t.Parallel()
	seeds := uint64(3)
	if raceDetector {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { killed(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func killed(t *testing.T, rng *rand.Rand) {
	records := traffic(t, func(o *simulator.Options) { spoilt(o); o.Count, o.Seed = lessUnderRace(12_000), rng.Uint64() })
	plan := defaults(t)
	log := memory.NewLog(4, 64)
	fs := vfs.NewCrashableMem()
	e := start(t, plan, log, fs, 2)
	for kills := 0; len(records) > 0; {
		n := min(1+rng.IntN(400), len(records))
		log.Append(records[:n]...)
		records = records[n:]
		pass(time.Duration(rng.IntN(120)) * time.Millisecond)
		if rng.IntN(3) > 0 || kills == 16 {
			continue
		}
		kills++
		survivor := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		e.end()
		fs = survivor
		e = start(t, plan, log, fs, 1+rng.IntN(3))
	}
	pass(2 * time.Hour)
	compare(t, e, plan, log)
	got, floors := e.digests()
	e.end()
	if floors > 0 {
		t.Fatalf("%d floors: without a restart there would be none", floors)
	}
	e = start(t, plan, log, vfs.NewMem(), 4)
	pass(2 * time.Hour)
	want, _ := e.digests()
	e.end()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("digests of a run that nothing disturbed, and of this one (-want +got):\n%s", diff)
	}
}

// A partition that falls silent must not hold the others back; when it returns, what the others have closed stays
// closed for it too, now and in every replay: its floors are in the journal.
func TestSilentPartitionsComeBackBehindTheirFloors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plan := defaults(t)
		log := memory.NewLog(4, 200)
		e := start(t, plan, log, vfs.NewMem(), 2)
		records := traffic(t, func(o *simulator.Options) { spoilt(o); o.Count = lessUnderRace(16_000) })
		silent := func(r *event.Record) bool { return r.Partition == 3 }
		var kept []event.Record
		for i, r := range records {
			if i%20 == 0 {
				pass(1300 * time.Millisecond) // as long as 20 records take
			}
			// The silent one's records of the middle third arrive when that is over.
			if third := len(records) / 3; silent(&r) && i >= third && i < 2*third {
				kept = append(kept, r)
				continue
			} else if i == 2*third {
				log.Append(kept...)
			}
			log.Append(r)
		}
		pass(45 * time.Minute)
		log.Append(traffic(t, func(o *simulator.Options) { // a bulk load after it was quiet for a while
			spoilt(o)
			o.Seed, o.Count = 2, lessUnderRace(6_000)
			o.Start += event.Millis((2 * time.Hour).Milliseconds())
		})...)
		pass(45 * time.Minute)
		if len(e.floors()) == 0 {
			t.Error("no floor was journaled")
		}
		compare(t, e, plan, log)
		e.end()
	})
}
