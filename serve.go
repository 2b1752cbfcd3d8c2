package main

import (
	"context"
	"errors"
)

type serveCommand struct {
	Data         string   `default:"./tidemark-data" placeholder:"DIR" help:"Data directory: state, results, and the log of the embedded broker."`
	Listen       string   `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of dashboard, REST and live feed."`
	KafkaBrokers []string `placeholder:"HOST:PORT" help:"Brokers of the cluster. Without them an embedded broker runs in this process."`
	kafkaFlags
	EmbeddedListen string `default:"127.0.0.1:9092" placeholder:"ADDR" help:"Address of the embedded broker, on the loopback interface."`
	CreateTopics   bool   `help:"Create topics that are missing on the brokers."`
	topicFlags
	framingFlags
	definitionFlags
	diskFlags
	outputFlags
	Workers        int      `default:"0" help:"Goroutines that fold events; 0 is one a core."`
	AuthTokenFile  string   `placeholder:"FILE" help:"File with the token that clients must show. Needed where other machines can reach the address."`
	Insecure       bool     `help:"Answer everybody, on any address, without a token."`
	AllowedHosts   []string `placeholder:"NAME" help:"Names that clients may call this server by, where it can be reached by others."`
	AllowedOrigins []string `placeholder:"ORIGIN" help:"Further origins whose pages may read: https://example.org"`
	logFlags
}

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, std *streams) error {
	logger, err := c.logger(std.err)
	if err != nil {
		return err
	}
	if c.Workers < 0 {
		return usageError{errors.New("--workers: must not be negative")}
	}
	plan, err := c.load()
	if err != nil {
		return err
	}
	security, err := c.security(c.KafkaBrokers, std, logger)
	if err != nil {
		return err
	}
	framing, err := c.openFraming(plan, logger)
	if err != nil {
		return err
	}
	minFree, err := c.minFree()
	if err != nil {
		return err
	}
	feedLimit, err := c.feedLimit()
	if err != nil {
		return err
	}
	restrictFiles()
	a, err := openApp(&appConfig{
		data: c.Data, listen: c.Listen, brokers: c.KafkaBrokers, security: security, embeddedListen: c.EmbeddedListen,
		topics: c.topicFlags, createTopics: c.CreateTopics,
		framing: framing, minFree: minFree, feedLimit: feedLimit, transactionTimeout: c.TransactionTimeout,
		workers: c.Workers, tokenFile: c.AuthTokenFile, insecure: c.Insecure, allowedHosts: c.AllowedHosts, allowedOrigins: c.AllowedOrigins, plan: plan, logger: logger,
	})
	if err != nil {
		return err
	}
	attributes := []any{"dashboard", "http://" + a.listener.Addr().String() + "/", "data", c.Data, "version", version()}
	if a.broker != nil {
		attributes = append(attributes, "embedded_broker", a.broker.Addr())
	}
	logger.Info("serving", attributes...)
	err = a.run(ctx)
	if err == nil {
		logger.Info("stopped")
	}
	return errors.Join(err, a.close())
}
