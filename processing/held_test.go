package processing_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// Rows that wait for W are in memory alone. After a restart they are read and judged again, with the M_p and the floors of
// then: wherever restarts fall, it is as if there had been none.
func TestHeldRowsAreJudgedAgainWhereverRestartsFall(t *testing.T) {
	traffic := rapid.Custom(randomTraffic)
	for seed := range seeds(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(uint64(seed), 7))
				records := traffic.Example(seed)
				for p := range records { // so that none is too far ahead of another to be read to the end
					records[p] = append(records[p], rec(event.PartitionID(p), 10*time.Minute, "user=a"))
				}
				log := memory.NewLog(len(records), 1000)
				for _, list := range records {
					log.Append(list...)
				}
				whole := start(t, log, memory.NewStore(), replayMetrics, allEncodings)
				pass(5 * time.Second)
				whole.end()

				log = memory.NewLog(len(records), 1+rng.IntN(20))
				for p := range records {
					log.Append(records[p][0]) // which of them are idle at the start would be chance
				}
				store, read := memory.NewStore(), make([]int, len(records))
				var last *rig
				again, held := 0, 0
				for left := true; left; {
					left = false
					for p, list := range records {
						n := min(read[p]+rng.IntN(8), len(list)-1)
						log.Append(list[1+read[p] : 1+n]...)
						read[p] = n
						left = left || n < len(list)-1
					}
					last = start(t, log, store, replayMetrics, allEncodings, func(o *processing.Options) { o.Workers = 1 + rng.IntN(4) })
					pass(time.Duration(30+rng.IntN(700)) * time.Millisecond)
					last.end()
					again++
					for _, c := range last.target().Cursors {
						held += int(c.Next - c.HeldFrom)
					}
				}
				last = start(t, log, store, replayMetrics, allEncodings)
				pass(5 * time.Second)
				last.end()
				t.Logf("%d restarts, %d records were read again", again, held)
				if diff := gocmp.Diff(whole.standing(), last.standing()); diff != "" {
					t.Errorf("with restarts it is something else (-without +with):\n%s", diff)
				}
			})
		})
	}
}
