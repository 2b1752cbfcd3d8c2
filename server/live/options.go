package live

import (
	"errors"
	"time"
)

// Options bound what clients can ask for.
type Options struct {
	MaxClients       int           // connections at once; default 1000
	MaxSubscriptions int           // of one client; default 16
	MaxMessageBytes  int64         // of one message of a client; default 16 KiB
	MessagesPerSec   int           // of one client, over ten seconds; default 20
	DefaultHz        float64       // deltas a second where a subscription doesn't say; default 4
	MaxHz            float64       // default 10
	MaxBackfill      time.Duration // default 24 h
	PingEvery        time.Duration // a client that is silent for two of these is dropped; default 20 s
	WriteTimeout     time.Duration // a client that takes longer to take a frame is dropped; default 10 s
	LingerTimeout    time.Duration // for how long after that it may come back and be told; default 30 s
	OpenEvery        time.Duration // how often open windows are evaluated, at most; default 250 ms
	DrainTimeout     time.Duration // how long clients get to say goodbye; default 1 s
}

// Default returns the options as they are unless somebody says otherwise.
func Default() Options {
	return Options{
		MaxClients:       1000,
		MaxSubscriptions: 16,
		MaxMessageBytes:  16 << 10,
		MessagesPerSec:   20,
		DefaultHz:        4,
		MaxHz:            10,
		MaxBackfill:      24 * time.Hour,
		PingEvery:        20 * time.Second,
		WriteTimeout:     10 * time.Second,
		LingerTimeout:    30 * time.Second,
		OpenEvery:        250 * time.Millisecond,
		DrainTimeout:     time.Second,
	}
}

// Validate reports every option that makes no sense.
func (o Options) Validate() error {
	var faults []error
	check := func(ok bool, what string) {
		if !ok {
			faults = append(faults, errors.New("live: "+what))
		}
	}
	check(o.MaxClients > 0, "MaxClients must be positive")
	check(o.MaxSubscriptions > 0, "MaxSubscriptions must be positive")
	check(o.MaxMessageBytes > 0, "MaxMessageBytes must be positive")
	check(o.MessagesPerSec > 0, "MessagesPerSec must be positive")
	check(o.DefaultHz > 0 && o.DefaultHz <= o.MaxHz, "DefaultHz must be above 0 and at most MaxHz")
	check(o.MaxBackfill > 0, "MaxBackfill must be positive")
	check(o.PingEvery > 0, "PingEvery must be positive")
	check(o.WriteTimeout > 0, "WriteTimeout must be positive")
	check(o.LingerTimeout > 0, "LingerTimeout must be positive")
	check(o.OpenEvery > 0, "OpenEvery must be positive")
	check(o.DrainTimeout > 0, "DrainTimeout must be positive")
	return errors.Join(faults...)
}
