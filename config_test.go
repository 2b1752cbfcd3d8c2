package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Whatever a configuration file holds, it is taken or refused with a place, and what it says ends up under the names of flags.
func FuzzConfigFile(f *testing.F) {
	for _, text := range []string{
		"listen: 127.0.0.1:8080\nkafka-brokers: [a:9092, b:9092]\n", "workers: -1\n", "a: &x [*x]\n", "? [a]\n: b\n", "listen: {a: b}", "--- a\n--- b",
		"listen: !!binary aGVsbG8=", "workers: 99999999999999999999", "\xff\xfe", "workers: 1\nworkers: 2", "<<: {workers: 1}", "\ufefflisten: a:1",
		strings.Repeat("[", 2000), "listen: |\n  a\n  b",
	} {
		f.Add([]byte(text))
	}
	parser, err := kong.New(&commands{}, kong.DefaultEnvars("TIDEMARK"), kong.Vars{"log_level": "info"}, kong.BindTo(f.Context(), (*context.Context)(nil)))
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "config.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c := &configFile{env: func(string) (string, bool) { return "", false }}
		err := c.read(parser, []string{"--config", path})
		var usage usageError
		var faults configFaults
		if err != nil && !errors.As(err, &usage) && !(errors.As(err, &faults) && strings.HasPrefix(faults[0].Error(), path+":")) {
			t.Fatalf("%q: %v", text, err)
		}
		known := flagsByName(parser)
		for name := range c.values {
			if err == nil && known[name] == nil {
				t.Fatalf("%q is taken and says %q", text, name)
			}
		}
	})
}
