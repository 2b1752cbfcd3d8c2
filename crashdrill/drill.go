package crashdrill

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
	"github.com/tidemark/tidemark/server"
	"github.com/tidemark/tidemark/simulator"
)

// Options say what a drill is like.
type Options struct {
	Duration time.Duration
	Dir      string // for what it needs; it is made if it isn't there
	Listen   string // address of the drilled server
	// FreePort says that a free port will do if that of Listen is busy.
	FreePort bool
	Broker   kafka.BrokerOptions // Dir apart, which is the drill's
	// FreeBrokerPort is as FreePort, for the broker.
	FreeBrokerPort bool
	Flags          []string // further ones of both servers
	Plan           *definition.Plan
	// Traffic is what comes in from a time on.
	Traffic func(start event.Millis, partitions int) (simulator.Options, error)
	Out     io.Writer
	Logger  *slog.Logger
}

// Run runs a crash drill until its verdict. What it needs is in a directory of its own, which is kept only if the servers differ.
func Run(ctx context.Context, o Options) (err error) {
	if _, err := os.Stat(o.Dir); errors.Is(err, os.ErrNotExist) {
		defer func() { _ = os.Remove(o.Dir) }() // it stays if something is kept in it
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	d := &drill{Options: o}
	if d.dir, err = os.MkdirTemp(o.Dir, "crash-drill-"); err != nil {
		return err
	}
	var differ *differs
	defer func() {
		if errors.As(err, &differ) {
			fmt.Fprintf(d.Out, "Everything is kept in %s.\n", d.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(d.dir))
	}()
	broker, err := d.startBroker()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	d.cluster = kafka.Cluster{Brokers: []string{broker.Addr()}, Logger: o.Logger}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	defer d.calm.end()
	defer d.killed.end()
	traffic, err := o.Traffic(0, 1)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.Out, "Crash drill: for %v a server is killed again and again while a shop's visitors come, at %g events a second.\n", o.Duration, traffic.Rate)
	fmt.Fprintf(d.Out, "An undisturbed one reads the same log beside it. Ctrl-C ends all of it.\n\n  Dashboard  http://%s/\n\n", d.killed.address)
	if err := d.run(ctx); err != nil {
		d.line()
		return d.blame(ctx, err)
	}
	return d.blame(ctx, d.judge(ctx))
}

// drill is a crash drill as it runs.
type drill struct {
	Options
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
	moment moment
	took   time.Duration // from the next start to the next answer; 0: it was killed before
}

// outputs are the output topics of the two servers.
func outputs(suffix string) []string {
	return []string{"metrics" + suffix, "alerts" + suffix, "dead-letters" + suffix}
}

// past is how much of the past the traffic begins with: there has to be something to catch up with.
const past = 5 * time.Minute

// blame says that nothing is proved if somebody has ended the drill.
func (d *drill) blame(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("the crash drill was ended before its verdict")
	}
	return err
}

func (d *drill) startBroker() (*kafka.Broker, error) {
	options := d.Broker
	options.Dir = filepath.Join(d.dir, "broker")
	broker, err := kafka.StartBroker(options)
	if d.FreeBrokerPort && errors.Is(err, kafka.ErrAddrInUse) {
		options.Listen = server.AnyPort(options.Listen)
		broker, err = kafka.StartBroker(options)
	}
	return broker, err
}

// prepare makes the two servers, and starts the one that is left alone.
func (d *drill) prepare(ctx context.Context) error {
	definitions := filepath.Join(d.dir, "definitions.yaml")
	content, err := neverIdle(d.Plan)
	if err != nil {
		return err
	}
	if err := os.WriteFile(definitions, content, 0o600); err != nil {
		return err
	}
	common := append([]string{"--kafka-brokers", d.cluster.Brokers[0], "--create-topics", "--definitions", definitions, "--log-level", "warn"}, d.Flags...)
	address, err := free(d.Listen, d.FreePort)
	if err != nil {
		return err
	}
	d.killed = newDrilled(d.dir, "killed", address, "", common)
	if address, err = free(server.AnyPort(d.Listen), false); err != nil {
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
func (d *drill) run(ctx context.Context) error {
	d.began = time.Now()
	ending, stop := context.WithTimeout(ctx, d.Duration)
	defer stop()
	group, ending := errgroup.WithContext(ending)
	group.Go(func() error { return d.trade(ending) })
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
func (d *drill) trade(ctx context.Context) error {
	writer, err := kafka.NewWriter(kafka.WriterOptions{Cluster: d.cluster, Topic: "events", Compression: kafka.LZ4})
	if err != nil {
		return err
	}
	defer writer.Close()
	options, err := d.Traffic(event.Millis(time.Now().Add(-past).UnixMilli()), kafka.DataPartitions)
	if err != nil {
		return err
	}
	options.Late, options.Bad = 0.02, 0.002 // so that there are corrections and dead letters
	sim, err := simulator.New(options)
	if err != nil {
		return err
	}
	if err := simulator.Run(ctx, sim, toTheEnd{writer}, simulator.Pace{}); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
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
		m := moments[rand.IntN(len(moments))]
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
		fmt.Fprintf(d.Out, "%6.1f s  killed %s", time.Since(d.began).Seconds(), m)
		d.kills = append(d.kills, kill{moment: m})
	}
	return d.killed.kill()
}

// line ends the line of a kill that the server has not come back from before the next.
func (d *drill) line() {
	if n := len(d.kills); n > 0 && d.kills[n-1].took == 0 {
		fmt.Fprintln(d.Out)
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
	fmt.Fprintf(d.Out, "  back after %.2f s, %s records so far\n", took.Seconds(), grouped(p.Counters.Consumed))
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
