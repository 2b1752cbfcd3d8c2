package e2e

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/store"
)

// A partition that is silent holds W until it is idle; then W could leap over most of an hour, whose windows have hundreds of groups.
// They close with many commits, none of them too large. The same windows close as if nothing had held W.
func TestWhatClosesAtOnceIsCommittedInParts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("hundreds of thousands of rows close")
	}
	const (
		minutes, groups = 26, 1000
		tooLarge        = 64 << 20
	)
	plan, err := definition.Load("large", []byte(`version: 1
defaults: false
source: {max_ahead: 2h, min_time: 1970-01-01}
metrics:
  - {name: pages, window: {size: 10s}, group_by: {url: pageViewData.url}, limit: 2000, max_groups: 2000, aggregates: {n: {count: true}, users: {uniques: sessionId}}, value: n}
`), schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	var records []event.Record
	for at := event.Millis(0); at < minutes*60_000; at += 10_000 {
		for g := range groups {
			records = append(records, pageView(0, at+event.Millis(g), fmt.Sprintf("/%0*d", 200, g)))
		}
	}
	records = append(records, pageView(0, (minutes+10)*60_000, "/last"))
	sums := make(map[bool]string)
	for _, held := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			partitions := 1
			if held {
				partitions = 2
			}
			log := memory.NewLog(partitions, 500)
			log.Append(pageView(event.PartitionID(partitions-1), 0, "/first"))
			log.Append(records...)
			w := &weighing{Store: openStore(t, vfs.NewMem())}
			e := startOn(t, plan, log, w.Store, w, 2)
			for e.pipeline.Status().Watermark < (minutes+11)*60_000 { // quiet
				pass(time.Second)
			}
			digests, _ := e.digests()
			sums[held] = digests["pages"]
			if want := fmt.Sprintf("%d facts,", minutes*6+1); !strings.HasPrefix(sums[held], want) {
				t.Errorf("%s, want %s", sums[held], want)
			}
			t.Logf("held=%t: %d commits, %d MiB, the largest %d KiB", held, w.commits, w.bytes>>20, w.largest>>10)
			if w.largest > tooLarge {
				t.Errorf("held=%t: a commit took %d MiB", held, w.largest>>20)
			}
			if held && w.bytes < 2*tooLarge {
				t.Errorf("all commits took %d MiB: that shows little", w.bytes>>20)
			}
			e.end()
		})
	}
	if sums[true] != sums[false] {
		t.Errorf("held back %s, otherwise %s", sums[true], sums[false])
	}
}

func pageView(p event.PartitionID, at event.Millis, url string) event.Record {
	const form = `{"eventId":"e%d","timestamp":%d,"eventType":"PAGE_VIEW","sessionId":"s%d","pageViewData":{"url":"%s","title":"t"},"metadata":{"source":"test"}}`
	return event.Record{Partition: p, Timestamp: at, Value: fmt.Appendf(nil, form, at, at, at, url)}
}

// weighing is a store that notes how large commits are.
type weighing struct {
	*store.Store
	commits        int
	largest, bytes int64
}

func (w *weighing) Commit(changes *processing.Changes) error {
	err := w.Store.Commit(changes)
	bytes := int64(0)
	for _, p := range w.Course() {
		bytes += p.Bytes
	}
	w.commits++
	w.largest, w.bytes = max(w.largest, bytes-w.bytes), bytes
	return err
}
