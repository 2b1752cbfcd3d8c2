package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/server"
	"github.com/tidemark/tidemark/store"
	"github.com/tidemark/tidemark/web"
)

// positionsGroup is the consumer group that is told the positions, so that ordinary lag tools work.
const positionsGroup = "tidemark"

// appConfig is what a server is made of.
type appConfig struct {
	data           string
	listen         string
	freePort       bool // take a free port instead of a busy one
	brokers        []string
	security       *kafka.Security // of connections to brokers; nil: none
	embeddedListen string          // for when there are no brokers
	freeBrokerPort bool
	topics         topicFlags
	createTopics   bool
	framing        framing
	minFree        store.MinFree // on the disk of the store
	feedLimit      uint64        // bytes that may wait to be published
	retention      store.Retention
	// transactionTimeout is for the outputs; 0: the publisher's own
	transactionTimeout time.Duration
	workers            int
	tokenFile          string
	insecure           bool
	allowedHosts       []string
	allowedOrigins     []string
	plan               *definition.Plan
	logger             *slog.Logger
}

// app is a server, its parts in the order in which they are opened.
type app struct {
	config    *appConfig
	options   server.Options
	listener  *server.Listener
	broker    *kafka.Broker // nil with brokers of one's own
	cluster   kafka.Cluster
	store     *store.Store
	source    *kafka.Source
	pipeline  *processing.Pipeline
	publisher *kafka.Publisher
	server    *server.Server
	served    served
	admin     net.Listener // nil if its path would be too long
	rebuilder *rebuilder
}

// openApp opens all parts. Addresses come first, so that a busy one leaves nothing behind.
func openApp(c *appConfig) (_ *app, err error) {
	a := &app{config: c, options: c.serverOptions()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := c.adoptRebuilt(); err != nil {
		return nil, err
	}
	// The embedded broker opens its directory before the store does: it must not touch what the store will refuse.
	if err := store.Check(c.storeDir()); err != nil {
		return nil, err
	}
	if a.listener, err = c.listenHTTP(); err != nil {
		return nil, err
	}
	if err := a.openCluster(); err != nil {
		return nil, err
	}
	if err := a.openStore(); err != nil {
		return nil, err
	}
	if err := a.openAdmin(); err != nil {
		return nil, err
	}
	if err := a.openParts(nil); err != nil {
		return nil, err
	}
	for _, r := range c.plan.LeftOut {
		c.logger.Info("built-in alert rule left out", "rule", r.Name, "reason", r.Why)
	}
	return a, nil
}

// validate reports every fault of what is given to the parts.
func (c *appConfig) validate() error {
	options := c.serverOptions()
	faults := []error{options.Validate()}
	if faults[0] == nil {
		faults[0] = options.CheckAccess()
	}
	faults = append(faults, c.topics.validate())
	if c.data == "" {
		faults = append(faults, errors.New("--data: a directory is needed"))
	}
	if len(c.brokers) > 0 {
		cluster := kafka.Cluster{Brokers: c.brokers, Logger: c.logger}
		faults = append(faults, cluster.Validate())
	} else {
		broker := c.brokerOptions()
		for _, fault := range leaves(broker.Validate()) {
			faults = append(faults, fmt.Errorf("embedded broker: %w", fault))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}
	return nil
}

func (c *appConfig) serverOptions() server.Options {
	options := server.Default()
	options.Listen, options.AuthTokenFile, options.Insecure, options.Version = c.listen, c.tokenFile, c.insecure, version()
	options.AllowedHosts, options.AllowedOrigins = c.allowedHosts, c.allowedOrigins
	return options
}

// brokerOptions are those of the embedded broker.
func (c *appConfig) brokerOptions() kafka.BrokerOptions {
	return kafka.BrokerOptions{
		Listen: c.embeddedListen, Dir: filepath.Join(c.data, "broker"), Logger: c.logger,
		Topics: kafka.DefaultTopics(c.topics.EventsTopic, c.topics.MetricsTopic, c.topics.AlertsTopic, c.topics.DeadLetterTopic),
	}
}

func (c *appConfig) storeDir() string { return filepath.Join(c.data, "store") }

func (c *appConfig) listenHTTP() (*server.Listener, error) {
	l, err := server.Listen(c.listen)
	if c.freePort && errors.Is(err, server.ErrAddrInUse) {
		return server.Listen(server.AnyPort(c.listen))
	}
	return l, err
}

// openCluster starts the embedded broker, unless there are brokers.
func (a *app) openCluster() error {
	c := a.config
	if len(c.brokers) == 0 {
		options := c.brokerOptions()
		broker, err := kafka.StartBroker(options)
		if c.freeBrokerPort && errors.Is(err, kafka.ErrAddrInUse) {
			options.Listen = server.AnyPort(c.embeddedListen)
			broker, err = kafka.StartBroker(options)
		}
		if err != nil {
			return err
		}
		a.broker = broker
	}
	a.cluster = kafka.Cluster{Brokers: c.brokers, Security: c.security, Logger: c.logger}
	if a.broker != nil {
		a.cluster.Brokers = []string{a.broker.Addr()}
	}
	return nil
}

// openStore opens the store, in which nothing is dropped that is not published.
func (a *app) openStore() (err error) {
	options := store.Default()
	options.Logger = a.config.logger
	options.Retention = a.config.retention
	options.Retention.Holding = []string{kafka.PublisherReader}
	a.store, err = store.Open(a.config.storeDir(), options)
	return err
}

// openParts opens what reads from the cluster, what writes to it, and what answers. Nothing is sent yet. With a target the pipeline
// folds silently to there, and nobody publishes.
func (a *app) openParts(target *processing.Target) (err error) {
	c := a.config
	if a.source, err = kafka.NewSource(kafka.SourceOptions{
		Cluster: a.cluster, Topic: c.topics.EventsTopic, Group: positionsGroup, CreateTopics: c.createTopics,
	}); err != nil {
		return err
	}
	pipeline := processing.DefaultOptions()
	pipeline.Workers, pipeline.WriterSchema, pipeline.Encoding, pipeline.Logger = c.workers, schemas.Events, c.framing.events, c.logger
	pipeline.WriterSchemas = c.framing.writers
	pipeline.Brakes = append(pipeline.Brakes, a.store.LowSpace(c.minFree), a.store.LongBacklog(kafka.PublisherReader, c.feedLimit))
	pipeline.Target, pipeline.Silent = target, target != nil
	publisher := kafka.PublisherOptions{
		Cluster: a.cluster, MetricsTopic: c.topics.MetricsTopic, AlertsTopic: c.topics.AlertsTopic, DeadLetterTopic: c.topics.DeadLetterTopic,
		Encoding: c.framing.output, Instance: a.store.Instance(), Epoch: a.store.Epoch(), Plan: c.plan, Feed: publisherFeed{a.store},
		CreateTopics: c.createTopics || a.broker != nil, Embedded: a.broker != nil, TransactionTimeout: c.transactionTimeout,
	}
	if r := c.framing.registry; r != nil { // a nil *Registry in an interface would not be nil
		pipeline.Registry, publisher.Registrar = r, r
	}
	if a.pipeline, err = processing.New(c.plan, a.source, a.store, pipeline); err != nil {
		return err
	}
	if a.publisher, err = kafka.NewPublisher(publisher); err != nil {
		return usageError{fmt.Errorf("outputs: %w", err)}
	}
	status := &withOutputs{a.pipeline, a.publisher}
	a.served.Store(status)
	if a.server, err = server.New(a.options, server.Deps{
		Plan: c.plan, Store: a.store, Pipeline: status, Epoch: a.store.Epoch(),
		Readers: []string{kafka.PublisherReader}, Assets: web.Files(), Logger: c.logger,
	}); err != nil {
		return err
	}
	a.pipeline.Observe(a.publisher)
	a.pipeline.Observe(a.server)
	return nil
}

// close closes what was opened, the last first; but the address before, as nobody answers there any more.
func (a *app) close() error {
	var faults []error
	if a.listener != nil {
		faults = append(faults, a.listener.Close())
	}
	if a.source != nil {
		a.source.Close()
	}
	a.config.framing.close()
	if a.store != nil {
		faults = append(faults, a.store.Close())
	}
	if a.broker != nil {
		faults = append(faults, a.broker.Close())
	}
	if a.admin != nil {
		if err := a.admin.Close(); !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
