package e2e

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
)

// What the server may take up while garbage comes, however much.
const (
	garbageResident = 400 << 20
	garbageGrowth   = 32 << 20 // from the second quarter to the last of what comes
	garbageWarm     = 64 << 20 // once so much has come, in which pools and caches fill
	garbageBroker   = 320 << 20
	garbageStore    = 1<<30 + 256<<20 // the feed keeps a gigabyte
)

// garbageMiB is how much comes: TIDEMARK_GARBAGE_MIB, or what takes a few seconds.
func garbageMiB(t *testing.T) int64 {
	text := os.Getenv("TIDEMARK_GARBAGE_MIB")
	if text == "" {
		return 160
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("TIDEMARK_GARBAGE_MIB: %v", err)
	}
	return n
}

// A server that is fed garbage lives, takes no more memory for more of it, loses none of it, and computes from the good
// events between what it would without.
func TestGarbageIsCountedAndLeavesMemoryFlat(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	if testing.Short() {
		t.Skip("sends much")
	}
	t.Parallel()
	limit := garbageMiB(t) << 20
	data, broker := t.TempDir(), freeAddress(t)
	p := launch(t, freeAddress(t), "serve", "--data", data, "--embedded-listen", broker)
	p.ready()
	g := newGarbage(t, event.Millis(time.Now().Add(-24*time.Hour).Truncate(time.Minute).UnixMilli()))
	resident := p.feed(g, broker, limit)
	p.await("everything is counted", func() bool { return p.pipeline().Counters["consumed"] == int64(g.n+garbagePartitions) })
	p.await("windows have closed", func() bool {
		return p.pipeline().WatermarkMs > int64(g.start)+int64(g.n*garbageStep)+garbageWindow
	})
	for name, want := range map[string]int64{"dead_letters": g.bad, "applied": int64(g.n) - g.bad + garbagePartitions, "late": 0, "filtered": 0} {
		if got := p.pipeline().Counters[name]; got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	p.checkViews(g)
	most := slices.Max(resident)
	t.Logf("%d records, %d MiB; %d MiB resident at most", g.n, g.bytes>>20, most>>20)
	if most > garbageResident {
		t.Errorf("%d MiB resident", most>>20)
	}
	warm := resident[garbageWarm/garbagePortion:]
	second, last := slices.Max(warm[len(warm)/4:len(warm)/2]), slices.Max(warm[len(warm)*3/4:])
	t.Logf("%d MiB resident in the second quarter, %d in the last", second>>20, last>>20)
	if last > second+garbageGrowth {
		t.Error("it grows with what comes")
	}
	for dir, bound := range map[string]int64{"broker": garbageBroker, "store": garbageStore} {
		p.await("the "+dir+" has dropped what is too much", func() bool { return diskBytes(t, filepath.Join(data, dir)) < bound })
		t.Logf("the %s has %d MiB on the disk", dir, diskBytes(t, filepath.Join(data, dir))>>20)
	}
	p.interrupt()
}

// garbagePortion is how many bytes are written at once.
const garbagePortion = 4 << 20

// feed writes records until they come to some bytes, a few at a time: what the server has not read yet must not be
// dropped by the broker. It returns what was resident meanwhile.
func (p *process) feed(g *garbage, broker string, limit int64) (resident []int64) {
	p.t.Helper()
	w, err := kafka.NewWriter(kafka.WriterOptions{
		Cluster: kafka.Cluster{Brokers: []string{broker}, Logger: slog.New(slog.DiscardHandler)}, Topic: "events", Compression: kafka.NoCompression,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.Close()
	write := func(records ...event.Record) {
		if err := w.Write(p.t.Context(), records); err != nil {
			p.t.Fatal(err)
		}
	}
	for g.bytes < limit {
		for end := g.bytes + garbagePortion; g.bytes < end; {
			write(g.next())
		}
		if err := w.Flush(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
		p.await("the portion is read", func() bool { return p.pipeline().Counters["consumed"] > int64(g.n)-1000 })
		resident = append(resident, residentBytes(p.t, p.cmd.Process.Pid))
	}
	for id := range event.PartitionID(garbagePartitions) {
		write(g.last(id))
	}
	if err := w.Flush(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	return resident
}

// checkViews holds every window of the page views against what was sent.
func (p *process) checkViews(g *garbage) {
	p.t.Helper()
	got := map[event.Millis]int64{}
	for from := int64(g.start); from < int64(g.start)+int64(g.n*garbageStep); from += 1000 * garbageWindow {
		var page struct {
			Windows []struct {
				Start      event.Millis `json:"window_start_ms"`
				Aggregates struct{ Views int64 }
			}
		}
		if err := p.fetch(fmt.Sprintf("/api/v1/metrics/page_views_per_second/windows?from=%d&to=%d&limit=1000", from, from+1000*garbageWindow), &page); err != nil {
			p.t.Fatal(err)
		}
		for _, w := range page.Windows {
			if w.Aggregates.Views > 0 {
				got[w.Start] = w.Aggregates.Views
			}
		}
	}
	for start, want := range g.views {
		if got[start] != want {
			p.t.Errorf("window %d has %d views, want %d", start, got[start], want)
		}
		delete(got, start)
	}
	if len(got) > 0 {
		p.t.Errorf("%d windows have views that nobody sent", len(got))
	}
}

// diskBytes is the size of all files under a directory.
func diskBytes(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // files go while we look
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
