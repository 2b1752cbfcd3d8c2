package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/simulator"
)

type simulateCommand struct {
	KafkaBrokers []string `default:"127.0.0.1:9092" placeholder:"HOST:PORT" help:"Brokers to write to."`
	kafkaFlags
	patienceFlags
	EventsTopic string        `default:"events" help:"Topic to write to."`
	Rate        float64       `default:"1000" help:"Events per second, averaged over a day; 0 is as fast as possible, and then event time ends now."`
	Count       int64         `placeholder:"N" help:"How many events."`
	Duration    time.Duration `help:"How long, in event time: 1m."`
	Seed        uint64        `default:"1" help:"Same seed, start and options: same bytes."`
	Start       string        `placeholder:"TIME" help:"Event time of the beginning, RFC 3339 or milliseconds since 1970. Default: now, or with --rate 0 so that it ends now."`
	Encoding    string        `enum:"avro,avro-single-object,avro-confluent,json" default:"avro" help:"How events are encoded: avro (raw binary), avro-single-object, avro-confluent (registers the schema) or json."`
	registryFlags
	Disorder   float64 `default:"0.2" help:"Fraction of events that arrive after younger ones, within 5 s."`
	Late       float64 `default:"0.005" help:"Fraction of events that arrive more than 5 s late, one in four of them more than a minute."`
	Duplicates float64 `default:"0.002" help:"Fraction of events that arrive twice."`
	Bad        float64 `default:"0" help:"Fraction of events with a record beside them that can't be used."`
	Scenario   string  `default:"normal" help:"What happens to the shop: normal, spike, outage, bots, slow-pages or broken-checkout."`
	Truth      string  `placeholder:"FILE" help:"Also write what a server with the default definitions must answer, exactly, as JSON lines. The topic must be empty."`
	logFlags
}

// densestRate is how many events per second of event time there are when the rate is "as fast as possible".
const densestRate = 1000

// Run writes until the traffic ends or ctx does.
func (c *simulateCommand) Run(ctx context.Context, std *streams) error {
	logger, err := c.logger(std.err)
	if err != nil {
		return err
	}
	options, security, err := c.settings(std, logger)
	if err != nil {
		return err
	}
	writer, err := kafka.NewWriter(kafka.WriterOptions{
		Cluster: kafka.Cluster{Brokers: c.KafkaBrokers, Security: security, Logger: logger, Patience: c.KafkaWait}, Topic: c.EventsTopic, Compression: kafka.LZ4,
	})
	if err != nil {
		return usageError{err}
	}
	defer writer.Close()
	if options.SchemaID, err = c.register(ctx); err != nil {
		return endedBy(ctx, err)
	}
	if options.Partitions, err = writer.Partitions(ctx); err != nil {
		return endedBy(ctx, err)
	}
	sim, err := simulator.New(options)
	if err != nil {
		return usageError{err}
	}
	sink, err := c.sink(ctx, writer, options.Partitions)
	if err != nil {
		return endedBy(ctx, err)
	}
	defer sink.close(logger)
	total := c.Count
	if total == 0 {
		total = int64(options.Rate * c.Duration.Seconds())
	}
	shown := newProgress(std, logger, "simulating", total)
	began := time.Now()
	var last simulator.Progress
	pace := simulator.Pace{Unpaced: c.Rate == 0, Progress: func(p simulator.Progress) { last = p; shown.update(p.Records) }}
	err = errors.Join(simulator.Run(ctx, sim, sink, pace), writer.Flush(context.WithoutCancel(ctx)))
	shown.end()
	if err != nil {
		return fmt.Errorf("write to %q: %w", c.EventsTopic, err)
	}
	if err := sink.commit(ctx, logger); err != nil {
		return err
	}
	logger.Info("simulated", slog.Int64("records", last.Records), slog.Int64("bytes", last.Bytes), slog.Duration("took", time.Since(began).Round(time.Millisecond)))
	return nil
}

func (c *simulateCommand) check(std *streams) error {
	_, _, err := c.settings(std, slog.New(slog.DiscardHandler))
	return err
}

// settings is what the flags say. It reports everything that is wrong.
func (c *simulateCommand) settings(std *streams, logger *slog.Logger) (simulator.Options, *kafka.Security, error) {
	faults := []error{c.validate()}
	wrong := func(is bool, what string) {
		if is {
			faults = append(faults, usageError{errors.New(what)})
		}
	}
	limited := (c.Count > 0) != (c.Duration > 0)
	wrong(!limited, "simulate: give either --count or --duration")
	options, err := c.options()
	if err == nil && limited {
		err = options.Validate()
	}
	if err != nil {
		faults = append(faults, usageError{err})
	}
	wrong((options.Encoding == simulator.AvroConfluent) != (len(c.SchemaRegistry) > 0), "simulate: --encoding avro-confluent and --schema-registry need each other")
	security, err := c.security(c.KafkaBrokers, std, logger)
	return options, security, errors.Join(append(faults, err)...)
}

// register makes the events schema known to the registry and returns its number; 0 without one.
func (c *simulateCommand) register(ctx context.Context) (int32, error) {
	registry, err := c.openRegistry()
	if err != nil || registry == nil {
		return 0, err
	}
	defer registry.Close()
	return registry.Register(ctx, c.EventsTopic+"-value", schemas.Events)
}

func (c *simulateCommand) options() (simulator.Options, error) {
	o := simulator.Default()
	o.Seed, o.Count, o.Duration = c.Seed, c.Count, event.Millis(c.Duration.Milliseconds())
	o.Encoding = simulator.Encoding(c.Encoding)
	o.Disorder, o.Late, o.Duplicates, o.Bad = c.Disorder, c.Late, c.Duplicates, c.Bad
	o.Scenario = c.Scenario
	o.Rate = c.Rate
	if c.Rate == 0 {
		o.Rate = densestRate
	}
	now := event.Millis(time.Now().UnixMilli())
	switch {
	case c.Start != "":
		start, err := parseTime(c.Start)
		if err != nil {
			return o, usageError{err}
		}
		o.Start = start
	case c.Rate != 0:
		o.Start = now
	case c.Count > 0:
		o.Start = simulator.StartFor(o, now)
	default:
		o.Start = now - o.Duration
	}
	return o, nil
}

// parseTime reads milliseconds since the epoch, or RFC 3339.
func parseTime(s string) (event.Millis, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return event.Millis(ms), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, fmt.Errorf("--start: %q is neither RFC 3339 nor milliseconds since 1970", s)
	}
	return event.Millis(t.UnixMilli()), nil
}
