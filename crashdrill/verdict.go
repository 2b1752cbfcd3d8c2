package crashdrill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/server/client"
)

// differs is the end of a drill that has found something.
type differs struct{ faults []string }

func (e *differs) Error() string {
	return "the crash drill has found a difference:\n  " + strings.Join(e.faults, "\n  ")
}

// account is what a server has made of the log, as seen from outside.
type account struct {
	pipeline client.Pipeline
	digest   client.Digest
	entries  int      // on its topics
	faults   []string // of these
}

// judge waits until both servers have read and published all of the log, and compares them.
func (d *drill) judge(ctx context.Context) error {
	d.line()
	fmt.Fprintf(d.Out, "\n%s\n\n", d.summary())
	if err := d.settle(ctx); err != nil {
		return err
	}
	killed, err := d.account(ctx, d.killed, "")
	if err != nil {
		return err
	}
	calm, err := d.account(ctx, d.calm, "-undisturbed")
	if err != nil {
		return err
	}
	if err := d.show(killed, calm); err != nil {
		return err
	}
	if faults := compareAccounts(killed, calm); len(faults) > 0 {
		return &differs{faults}
	}
	fmt.Fprintf(d.Out, "\nThe same, to the last bit.\n")
	return nil
}

// summary tells of the kills and what followed them.
func (d *drill) summary() string {
	var took []time.Duration
	count := map[moment]int{}
	for _, k := range d.kills {
		count[k.moment]++
		if k.took > 0 {
			took = append(took, k.took)
		}
	}
	var parts []string
	for _, m := range moments {
		if count[m] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[m], strings.TrimSpace(string(m))))
		}
	}
	text := fmt.Sprintf("%d kills: %s.", len(d.kills), strings.Join(parts, ", "))
	if len(took) > 0 {
		slices.Sort(took)
		text += fmt.Sprintf(" Back after %.2f s, %.2f s at most.", took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
	}
	return text
}

// settleLimit is for what is left to be read and published when the traffic ends.
const settleLimit = 5 * time.Minute

// settle waits until both servers have read all of the log and published all that comes of it, and stand at the same watermark. If
// they don't come to that, the accounts tell how they differ.
func (d *drill) settle(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var standing []int64 // watermarks of those that are done
		for _, s := range []*drilled{d.killed, d.calm} {
			p, err := s.client.Pipeline(limited)
			if err != nil {
				continue
			}
			if fault := faultOf(&p); fault != "" {
				return &differs{[]string{fmt.Sprintf("the %s server stands still: %s", s.name, fault)}}
			}
			if _, entries := p.Lag(); p.Counters.Consumed >= d.written && entries == 0 && p.WatermarkMs != nil {
				standing = append(standing, *p.WatermarkMs)
			}
		}
		if len(standing) == 2 && standing[0] == standing[1] {
			return nil
		}
		select {
		case <-tick.C:
		case <-d.killed.ended:
			return d.killed.ownEnd()
		case <-d.calm.ended:
			return d.calm.ownEnd()
		case <-limited.Done():
			return ctx.Err()
		}
	}
}

func faultOf(p *client.Pipeline) string {
	for _, q := range p.Partitions {
		if q.Fault != nil {
			return fmt.Sprintf("partition %d: %s", q.Partition, *q.Fault)
		}
	}
	return ""
}

// account reads all that a server says, and its topics as a read-committed consumer sees them.
func (d *drill) account(ctx context.Context, s *drilled, suffix string) (a account, err error) {
	if a.pipeline, err = s.client.Pipeline(ctx); err != nil {
		return a, err
	}
	if a.digest, err = s.client.Digest(ctx); err != nil {
		return a, err
	}
	fed := map[uint64]bool{} // sequences that have to be on the topics; true: they are
	for after := uint64(0); ; {
		page, err := s.client.Feed(ctx, after, "result,alert,dead_letter")
		if err != nil {
			return a, err
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			fed[e.Seq], after = false, e.Seq
		}
	}
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	published, err := kafka.ReadPublished(ctx, d.cluster, outputs(suffix)...)
	if err != nil {
		return a, err
	}
	a.entries, a.faults = len(published), onceEach(fed, published)
	return a, nil
}

// onceEach says what is wrong about published entries: each of the feed has to be there once, and in order within a partition.
func onceEach(fed map[uint64]bool, published []kafka.Published) []string {
	var repeated, unknown, disordered, missing int
	epochs := map[string]bool{}
	last := map[string]uint64{} // by topic and partition
	for _, p := range published {
		at := fmt.Sprintf("%s/%d", p.Topic, p.Partition)
		epochs[p.Epoch] = true
		there, known := fed[p.Seq]
		switch {
		case !known:
			unknown++
		case there:
			repeated++
		case p.Seq < last[at]:
			disordered++
		}
		if known {
			fed[p.Seq] = true
		}
		last[at] = max(last[at], p.Seq)
	}
	for _, there := range fed {
		if !there {
			missing++
		}
	}
	var faults []string
	for _, f := range []struct {
		n    int
		what string
	}{
		{repeated, "stand on its topics twice"}, {missing, "are missing on its topics"},
		{disordered, "are not in order"}, {unknown, "are on its topics and not in its feed"},
	} {
		if f.n > 0 {
			faults = append(faults, fmt.Sprintf("%s entries %s", grouped(int64(f.n)), f.what))
		}
	}
	if len(epochs) > 1 {
		faults = append(faults, fmt.Sprintf("%d epochs", len(epochs)))
	}
	return faults
}

// show puts both side by side.
func (d *drill) show(killed, calm account) error {
	out := tabwriter.NewWriter(d.Out, 2, 0, 3, ' ', 0)
	row := func(what string, of func(*account) string) {
		fmt.Fprintf(out, "  %s\t%s\t%s\n", what, of(&killed), of(&calm))
	}
	fmt.Fprintf(out, "  \tkilled %d times\tundisturbed\n", len(d.kills))
	row("records", func(a *account) string { return grouped(a.pipeline.Counters.Consumed) })
	row("windows", func(a *account) string {
		n := int64(0)
		for _, m := range a.digest.Definitions {
			n += m.Windows
		}
		return grouped(n)
	})
	row("results on its topics", func(a *account) string {
		if len(a.faults) > 0 {
			return strings.Join(a.faults, ", ")
		}
		return grouped(int64(a.entries)) + ", each once"
	})
	row("digest", func(a *account) string { return a.digest.Digest })
	return out.Flush()
}

// compareAccounts names what differs. How many entries the topics hold may: corrections go out when they go out.
func compareAccounts(killed, calm account) []string {
	var faults []string
	if killed.pipeline.Counters != calm.pipeline.Counters {
		faults = append(faults, fmt.Sprintf("counters: %+v, undisturbed %+v", killed.pipeline.Counters, calm.pipeline.Counters))
	}
	if a, b := killed.pipeline.WatermarkMs, calm.pipeline.WatermarkMs; (a == nil) != (b == nil) || a != nil && *a != *b {
		faults = append(faults, "the watermarks differ")
	}
	undisturbed := map[string]string{}
	for _, m := range calm.digest.Definitions {
		undisturbed[m.Name] = m.Digest
	}
	for _, m := range killed.digest.Definitions {
		if undisturbed[m.Name] != m.Digest {
			faults = append(faults, fmt.Sprintf("%s: digest %s, undisturbed %s", m.Name, m.Digest, undisturbed[m.Name]))
		}
	}
	if killed.digest.Digest != calm.digest.Digest && len(faults) == 0 {
		faults = append(faults, "the digests differ")
	}
	for _, f := range killed.faults {
		faults = append(faults, "killed: "+f)
	}
	for _, f := range calm.faults {
		faults = append(faults, "undisturbed: "+f)
	}
	return faults
}
