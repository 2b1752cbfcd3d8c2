package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/simulator"
)

// drill is a crash drill: a server is killed again and again while a shop's traffic comes in. The log is this process's, so that it
// survives, and beside the killed server an undisturbed one reads it.
type drill struct {
	out     io.Writer
	dir     string
	cluster kafka.Cluster
	began   time.Time
	killed  *drilled
	calm    *drilled
	kills   []kill
	written int64 // records in the log, once the traffic has ended
}

// kill is one of them.
type kill struct {
	moment drillMoment
	took   time.Duration // from the next start to the next answer; 0: it was killed before
}

// drillTopics are the output topics of the two servers.
func drillTopics(suffix string) []string {
	return []string{"metrics" + suffix, "alerts" + suffix, "dead-letters" + suffix}
}

// drillPast is how much of the past the traffic begins with: there has to be something to catch up with.
const drillPast = 5 * time.Minute

// crashDrill runs a crash drill. What it needs is in a directory of its own, which is kept only if the servers differ.
func (c *demoCommand) crashDrill(ctx context.Context, std *streams, plan *definition.Plan, logger *slog.Logger) (err error) {
	restrictFiles()
	if _, err := os.Stat(c.Data); errors.Is(err, os.ErrNotExist) {
		defer func() { _ = os.Remove(c.Data) }() // it stays if something is kept in it
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	d := &drill{out: std.out}
	if d.dir, err = os.MkdirTemp(c.Data, "crash-drill-"); err != nil {
		return err
	}
	var differ *drillDiffers
	defer func() {
		if errors.As(err, &differ) {
			fmt.Fprintf(std.out, "Everything is kept in %s.\n", d.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(d.dir))
	}()
	broker, err := c.drillBroker(filepath.Join(d.dir, "broker"), logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	d.cluster = kafka.Cluster{Brokers: []string{broker.Addr()}, Logger: logger}
	if err := d.prepare(ctx, c, plan); err != nil {
		return err
	}
	defer d.calm.end()
	defer d.killed.end()
	fmt.Fprintf(d.out, "Crash drill: for %v a server is killed again and again while a shop's visitors come, at %g events a second.\n", c.CrashDrill, c.Rate)
	fmt.Fprintf(d.out, "An undisturbed one reads the same log beside it. Ctrl-C ends all of it.\n\n  Dashboard  http://%s/\n\n", d.killed.address)
	if err := d.run(ctx, c); err != nil {
		d.line()
		return d.blame(ctx, err)
	}
	return d.blame(ctx, d.judge(ctx))
}

// blame says that nothing is proved if somebody has ended the drill.
func (d *drill) blame(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("the crash drill was ended before its verdict")
	}
	return err
}

func (c *demoCommand) drillBroker(dir string, logger *slog.Logger) (*kafka.Broker, error) {
	options := kafka.BrokerOptions{
		Listen: c.EmbeddedListen, Dir: dir, Logger: logger,
		Topics: kafka.DefaultTopics("events", "metrics", "alerts", "dead-letters"),
	}
	if c.EmbeddedListen == "" {
		options.Listen = defaultEmbedded
	}
	broker, err := kafka.StartBroker(options)
	if c.EmbeddedListen == "" && errors.Is(err, kafka.ErrAddrInUse) {
		options.Listen = freePort(defaultEmbedded)
		broker, err = kafka.StartBroker(options)
	}
	return broker, err
}

// prepare makes the two servers, and starts the one that is left alone.
func (d *drill) prepare(ctx context.Context, c *demoCommand, plan *definition.Plan) error {
	definitions := filepath.Join(d.dir, "definitions.yaml")
	content, err := neverIdle(plan)
	if err != nil {
		return err
	}
	if err := os.WriteFile(definitions, content, 0o600); err != nil {
		return err
	}
	common := []string{"--kafka-brokers", d.cluster.Brokers[0], "--create-topics", "--definitions", definitions, "--min-free", c.MinFree, "--log-level", "warn"}
	address, err := freeListen(c.Listen)
	if err != nil {
		return err
	}
	d.killed = newDrilled(d.dir, "killed", address, "", common)
	if address, err = freeListen(freePort(defaultListen)); err != nil {
		return err
	}
	d.calm = newDrilled(d.dir, "undisturbed", address, "-undisturbed", common)
	if err := d.calm.start(); err != nil {
		return err
	}
	_, err = d.calm.ready(ctx)
	return err
}

// neverIdle are the definitions, with partitions that never count as idle: whether one is depends on the clock, and two servers can't
// be compared to the last bit if it does. The numbers are the same.
func neverIdle(plan *definition.Plan) ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal(plan.YAML, &document); err != nil {
		return nil, fmt.Errorf("read the definitions again: %w", err)
	}
	source, ok := document["source"].(map[string]any)
	if !ok {
		return nil, errors.New("the definitions have no source")
	}
	source["idle_timeout"], source["close_when_idle"] = "1000h", "2000h"
	return yaml.Marshal(document)
}

// run kills until the time is over, and starts the server a last time.
func (d *drill) run(ctx context.Context, c *demoCommand) error {
	d.began = time.Now()
	ending, stop := context.WithTimeout(ctx, c.CrashDrill)
	defer stop()
	group, ending := errgroup.WithContext(ending)
	group.Go(func() error { return d.trade(ending, c) })
	group.Go(func() error { return d.killOn(ending) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := d.killed.start(); err != nil {
		return err
	}
	return d.back(ctx)
}

// trade writes the shop's traffic until ctx ends.
func (d *drill) trade(ctx context.Context, c *demoCommand) error {
	writer, err := kafka.NewWriter(kafka.WriterOptions{Cluster: d.cluster, Topic: "events", Compression: kafka.LZ4})
	if err != nil {
		return err
	}
	defer writer.Close()
	options, err := c.traffic(event.Millis(time.Now().Add(-drillPast).UnixMilli()), kafka.DataPartitions)
	if err != nil {
		return err
	}
	options.Late, options.Bad = 0.02, 0.002 // so that there are corrections and dead letters
	sim, err := simulator.New(options)
	if err != nil {
		return err
	}
	if err := simulator.Run(ctx, sim, toTheEnd{writer}, simulator.Pace{}); err != nil {
		return endedBy(ctx, err)
	}
	lasting := context.WithoutCancel(ctx)
	if err := writer.Flush(lasting); err != nil {
		return err
	}
	written, err := writer.Written(lasting)
	d.written = int64(written)
	return err
}

// toTheEnd writes what it has taken, even if the traffic ends meanwhile.
type toTheEnd struct{ *kafka.Writer }

// Write implements simulator.Writer.
func (w toTheEnd) Write(ctx context.Context, records []event.Record) error {
	return w.Writer.Write(context.WithoutCancel(ctx), records)
}

// killOn starts the server and kills it at random moments until ctx ends. It is dead then.
func (d *drill) killOn(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := d.killed.start(); err != nil {
			return err
		}
		m := drillMoments[rand.IntN(len(drillMoments))]
		if m != whileStarting {
			if err := d.back(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
		d.killed.waitFor(ctx, m)
		if ctx.Err() != nil {
			break
		}
		if err := d.killed.kill(); err != nil {
			return err
		}
		d.line()
		fmt.Fprintf(d.out, "%6.1f s  killed %s", time.Since(d.began).Seconds(), m)
		d.kills = append(d.kills, kill{moment: m})
	}
	return d.killed.kill()
}

// line ends the line of a kill that the server has not come back from before the next.
func (d *drill) line() {
	if n := len(d.kills); n > 0 && d.kills[n-1].took == 0 {
		fmt.Fprintln(d.out)
	}
}

// back waits until the server answers, and tells how long that took.
func (d *drill) back(ctx context.Context) error {
	took, err := d.killed.ready(ctx)
	if err != nil {
		return err
	}
	n := len(d.kills)
	if n == 0 || d.kills[n-1].took > 0 {
		return nil
	}
	d.kills[n-1].took = took
	p, err := d.killed.client.Pipeline(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "  back after %.2f s, %s records so far\n", took.Seconds(), grouped(p.Counters.Consumed))
	return nil
}

// grouped writes a number with a comma between thousands.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
