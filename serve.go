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
	workerFlags
	retentionFlags
	AuthTokenFile  string   `placeholder:"FILE" help:"File with the token that clients must show. Needed where other machines can reach the address."`
	Insecure       bool     `help:"Answer everybody, on any address, without a token."`
	AllowedHosts   []string `placeholder:"NAME" help:"Names that clients may call this server by, where it can be reached by others."`
	AllowedOrigins []string `placeholder:"ORIGIN" help:"Further origins whose pages may read: https://example.org"`
	logFlags
}

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, std *streams) error {
	config, err := c.config(std)
	if err != nil {
		return err
	}
	restrictFiles()
	a, err := openApp(config)
	if err != nil {
		return err
	}
	logger := config.logger
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

func (c *serveCommand) check(std *streams) error {
	config, err := c.config(std)
	if err == nil {
		config.framing.close()
	}
	return err
}

// config is what the flags make of a server. It reports everything that is wrong.
func (c *serveCommand) config(std *streams) (*appConfig, error) {
	logger, err := c.logger(std.err)
	if err != nil {
		return nil, err
	}
	config := &appConfig{
		data: c.Data, listen: c.Listen, brokers: c.KafkaBrokers, embeddedListen: c.EmbeddedListen, topics: c.topicFlags, createTopics: c.CreateTopics,
		transactionTimeout: c.TransactionTimeout, workers: c.Workers,
		tokenFile: c.AuthTokenFile, insecure: c.Insecure, allowedHosts: c.AllowedHosts, allowedOrigins: c.AllowedOrigins, logger: logger,
	}
	var faults [7]error
	config.plan, faults[0] = c.load()
	config.security, faults[1] = c.security(c.KafkaBrokers, std, logger)
	config.framing, faults[2] = c.openFraming(config.plan, logger)
	config.minFree, faults[3] = c.minFree()
	config.feedLimit, faults[4] = c.feedLimit()
	config.retention, faults[5] = c.retention()
	faults[6] = config.validate()
	err = errors.Join(append(faults[:], c.workerFlags.validate(), c.outputFlags.validate())...)
	if err != nil {
		config.framing.close()
		return nil, err
	}
	return config, nil
}
