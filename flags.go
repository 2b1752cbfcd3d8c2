package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

// topicFlags name the topics.
type topicFlags struct {
	EventsTopic     string `default:"events" help:"Topic that events are read from."`
	MetricsTopic    string `default:"metrics" help:"Topic that results are written to."`
	AlertsTopic     string `default:"alerts" help:"Topic that alerts are written to."`
	DeadLetterTopic string `default:"dead-letters" help:"Topic that records go to that can't be used, with the reason."`
}

// validate reports every fault: a topic that is read and written would feed on itself.
func (f *topicFlags) validate() error {
	var faults []error
	topics := []struct{ flag, name string }{
		{"--events-topic", f.EventsTopic}, {"--metrics-topic", f.MetricsTopic}, {"--alerts-topic", f.AlertsTopic}, {"--dead-letter-topic", f.DeadLetterTopic},
	}
	first := map[string]string{kafka.ProgressTopic: "the publisher's own"}
	for _, t := range topics {
		switch {
		case t.name == "":
			faults = append(faults, fmt.Errorf("%s: a topic needs a name", t.flag))
		case first[t.name] != "":
			faults = append(faults, fmt.Errorf("%s: %q is %s already", t.flag, t.name, first[t.name]))
		default:
			first[t.name] = t.flag
		}
	}
	return errors.Join(faults...)
}

// workerFlags say how much of the machine the fold may use.
type workerFlags struct {
	Workers int `default:"0" help:"Goroutines that fold events; 0 is one a core."`
}

func (f *workerFlags) validate() error {
	if f.Workers < 0 {
		return usageError{errors.New("--workers: must not be negative")}
	}
	return nil
}

// logFlags say how to log.
type logFlags struct {
	LogFormat string `enum:"text,json" default:"text" help:"How log lines look: text or json."`
	LogLevel  string `enum:"debug,info,warn,error" default:"${log_level}" help:"Least level that is logged: debug, info, warn or error."`
}

// logger writes to w as the flags say.
func (f *logFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level: %w", err)}
	}
	options := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}

// outputFlags say how outputs leave.
type outputFlags struct {
	FeedLimit          string        `default:"1GiB" placeholder:"SIZE" help:"Take no records while more than this waits to be published: bytes, or KiB to TiB."`
	TransactionTimeout time.Duration `default:"20s" placeholder:"DURATION" help:"How long brokers keep a transaction open that nobody ends: after a crash, readers of the outputs wait so long at most."`
}

// validate repeats what the publisher demands, as that is opened after the store.
func (f *outputFlags) validate() error {
	if f.TransactionTimeout < time.Second || f.TransactionTimeout > 15*time.Minute {
		return usageError{fmt.Errorf("--transaction-timeout: %v is not between 1s and 15m", f.TransactionTimeout)}
	}
	return nil
}

// defaultFeedLimit is that of --feed-limit.
const defaultFeedLimit = 1 << 30

func (f *outputFlags) feedLimit() (uint64, error) {
	n, err := store.ParseSize(f.FeedLimit)
	if err == nil && n == 0 {
		err = errors.New("something must be able to wait")
	}
	if err != nil {
		return 0, usageError{fmt.Errorf("--feed-limit: %w", err)}
	}
	return n, nil
}

// retentionFlags say what is dropped, and when.
type retentionFlags struct {
	KeepResults string `default:"35d" placeholder:"SPAN" help:"How long window results are kept, and history by less than an hour, in event time: 90m, 48h or 35d."`
	KeepRollups string `default:"400d" placeholder:"SPAN" help:"How long history by the hour and by the day is kept, in event time."`
	KeepAlerts  string `default:"35d" placeholder:"SPAN" help:"How long alerts are kept after they ended, in event time."`
	KeepFeed    string `default:"7d" placeholder:"SPAN" help:"How long the feed is kept. What has not been published stays."`
	FeedSize    string `default:"1GiB" placeholder:"SIZE" help:"How large the feed may become: bytes, or KiB to TiB. What has not been published stays."`
}

// retention reports every fault.
func (f *retentionFlags) retention() (r store.Retention, err error) {
	var faults []error
	span := func(flag, text string) time.Duration {
		d, err := wire.ParseSpan(text)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("%s: %w", flag, err))
		case d < time.Minute:
			faults = append(faults, fmt.Errorf("%s: at least a minute must be kept", flag))
		}
		return d
	}
	r.Results, r.Rollups = span("--keep-results", f.KeepResults), span("--keep-rollups", f.KeepRollups)
	r.Alerts, r.FeedAge = span("--keep-alerts", f.KeepAlerts), span("--keep-feed", f.KeepFeed)
	size, err := store.ParseSize(f.FeedSize)
	switch {
	case err != nil:
		faults = append(faults, fmt.Errorf("--feed-size: %w", err))
	case size == 0 || size > math.MaxInt64:
		faults = append(faults, errors.New("--feed-size: want at least a byte, and less than 8 EiB"))
	}
	r.FeedBytes = int64(size)
	if len(faults) == 0 && r.Rollups < r.Results {
		faults = append(faults, errors.New("--keep-rollups: must not be shorter than --keep-results"))
	}
	if len(faults) > 0 {
		return r, usageError{errors.Join(faults...)}
	}
	return r, nil
}

// diskFlags say when the disk is too full. A command may set a default of its own.
type diskFlags struct {
	MinFree string `default:"${min_free=5%,1GiB}" placeholder:"SIZE" help:"Take no records while less is free on the disk of the store: bytes, KiB to TiB, or a percentage; of several the largest counts. 0 turns it off."`
}

func (f *diskFlags) minFree() (store.MinFree, error) {
	m, err := store.ParseMinFree(f.MinFree)
	if err != nil {
		return m, usageError{fmt.Errorf("--min-free: %w", err)}
	}
	return m, nil
}
