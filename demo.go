package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/crashdrill"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/simulator"
	"github.com/tidemark/tidemark/store"
)

type demoCommand struct {
	Rate           float64       `default:"200" help:"Simulated events per second, averaged over a day."`
	Scenario       string        `default:"normal" help:"What happens to the shop: normal, spike, outage, bots, slow-pages or broken-checkout."`
	Data           string        `default:"./tidemark-demo" placeholder:"DIR" help:"Data directory. A second start goes on with what it holds."`
	Listen         string        `placeholder:"ADDR" help:"Address of the dashboard. Default: 127.0.0.1:8080, or a free port if that is busy."`
	EmbeddedListen string        `placeholder:"ADDR" help:"Address of the embedded broker. Default: 127.0.0.1:9092, or a free port if that is busy."`
	CrashDrill     time.Duration `placeholder:"DURATION" help:"Instead of a demo: kill a server again and again for so long (60s), and compare it with an undisturbed one."`
	definitionFlags
	diskFlags `embed:"" set:"min_free=1GiB"`  // 5 % of a large disk is more than a demo writes, and often not free
	logFlags  `embed:"" set:"log_level=warn"` // a demo shows its dashboard, not its log
}

const (
	defaultListen   = "127.0.0.1:8080"
	defaultEmbedded = "127.0.0.1:9092"

	// demoPast is how much of the past a first start writes, so that charts are full.
	demoPast = 30 * time.Minute
	// demoBad is the fraction of records that can't be used: a few, so that there are dead letters to look at.
	demoBad = 0.00002
)

// Run shows everything in one process until ctx ends.
func (c *demoCommand) Run(ctx context.Context, std *streams) error {
	config, err := c.config(std)
	if err != nil {
		return err
	}
	logger := config.logger
	restrictFiles()
	if c.CrashDrill != 0 {
		return crashdrill.Run(ctx, crashdrill.Options{
			Duration: c.CrashDrill, Dir: c.Data, Listen: config.listen, FreePort: config.freePort,
			Broker: config.brokerOptions(), FreeBrokerPort: config.freeBrokerPort, Flags: []string{"--min-free", c.MinFree},
			Plan: config.plan, Traffic: c.traffic, Out: std.out, Logger: logger,
		})
	}
	a, err := openApp(config)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "Tidemark shows a shop's traffic at %g events a second.\n\n", c.Rate)
	fmt.Fprintf(std.out, "  Dashboard  http://%s/\n  Kafka      %s (try: kcat -b %s -t metrics -C -o -5 -e)\n  Data       %s\n\nCtrl-C ends it; the next start goes on.\n\n",
		a.listener.Addr(), a.broker.Addr(), a.broker.Addr(), c.Data)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.run(ctx) })
	group.Go(func() error { return c.simulate(ctx, std, logger, a) })
	return errors.Join(group.Wait(), a.close())
}

func (c *demoCommand) check(std *streams) error {
	_, err := c.config(std)
	return err
}

// config is what the flags make of a server. It reports everything that is wrong.
func (c *demoCommand) config(std *streams) (*appConfig, error) {
	logger, err := c.logger(std.err)
	if err != nil {
		return nil, err
	}
	config := &appConfig{
		feedLimit: defaultFeedLimit, retention: store.Default().Retention, data: c.Data, listen: c.Listen, embeddedListen: c.EmbeddedListen, logger: logger,
		topics:  topicFlags{EventsTopic: "events", MetricsTopic: "metrics", AlertsTopic: "alerts", DeadLetterTopic: "dead-letters"},
		framing: defaultFraming(),
	}
	if c.Listen == "" {
		config.listen, config.freePort = defaultListen, true
	}
	if c.EmbeddedListen == "" {
		config.embeddedListen, config.freeBrokerPort = defaultEmbedded, true
	}
	var faults [4]error
	config.plan, faults[0] = c.load()
	config.minFree, faults[1] = c.minFree()
	_, faults[2] = c.traffic(0, 1)
	if c.CrashDrill != 0 && c.CrashDrill < time.Second {
		faults[3] = usageError{errors.New("--crash-drill: at least 1s is needed")}
	}
	return config, errors.Join(append(faults[:], config.validate())...)
}

// traffic is the simulated traffic from a time on.
func (c *demoCommand) traffic(start event.Millis, partitions int) (simulator.Options, error) {
	o := simulator.Default()
	o.Start, o.Rate, o.Partitions, o.Bad, o.Scenario = max(start, 1), c.Rate, partitions, demoBad, c.Scenario
	o.Seed = uint64(o.Start) // each start has visitors of its own
	if err := o.Validate(); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// simulate writes traffic until ctx ends. The first start begins with the last half hour.
func (c *demoCommand) simulate(ctx context.Context, std *streams, logger *slog.Logger, a *app) error {
	writer, err := kafka.NewWriter(kafka.WriterOptions{Cluster: a.cluster, Topic: a.config.topics.EventsTopic, Compression: kafka.LZ4})
	if err != nil {
		return err
	}
	defer writer.Close()
	partitions, err := writer.Partitions(ctx)
	if err != nil {
		return endedBy(ctx, err)
	}
	written, err := writer.Written(ctx)
	if err != nil {
		return endedBy(ctx, err)
	}
	now := event.Millis(time.Now().UnixMilli())
	start := now - event.Millis(demoPast.Milliseconds())
	if written > 0 {
		start = now // a second start
	}
	options, err := c.traffic(start, partitions)
	if err != nil {
		return err
	}
	sim, err := simulator.New(options)
	if err != nil {
		return err
	}
	past := newProgress(std, logger, "Writing the last 30 minutes", int64(c.Rate*demoPast.Seconds()))
	pace := simulator.Pace{Progress: func(p simulator.Progress) {
		switch {
		case p.EventTime < now:
			past.update(p.Records)
		default:
			past.end()
		}
	}}
	err = simulator.Run(ctx, sim, writer, pace)
	past.end()
	return endedBy(ctx, err)
}

// endedBy drops an error that only says that ctx has ended.
func endedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
