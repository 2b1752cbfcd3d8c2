package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// stage is one row of the table: two benchmarks of a package.
type stage struct {
	name, pkg  string
	ours, bare string
	limit      float64 // of ours/bare; 0: none
	noAllocs   bool
}

var stages = []stage{
	{name: "decode", pkg: "./processing/event", ours: "Decode", bare: "DecodeHandWritten", limit: 1.75, noAllocs: true},
	{name: "fold", pkg: "./processing/window", ours: "Fold/tidemark", bare: "Fold/bare", limit: 1.5},
	{name: "sequence", pkg: "./processing/sequence", ours: "Sequence/tidemark", bare: "Sequence/naive"},
	{name: "sequence + sessions", pkg: "./processing/session", ours: "Sessions/tidemark", bare: "Sessions/naive"},
	{name: "commit (a whole one)", pkg: "./store", ours: "Commit/disk/store", bare: "Commit/disk/bare"},
	{name: "whole path", pkg: "./bench", ours: "WholePath", bare: "WholePathHandWritten", limit: 2},
	{name: "  against no sessions", pkg: "./bench", ours: "WholePath", bare: "WholePathHandWrittenNoSessions"},
}

// noise is what a ratio may be above what is wanted before the gate fails: on a machine that others use, two benchmarks
// that run one after the other do not find the same caches, and processors differ.
const noise = 1.25

// more is how often a stage that is too slow is measured again before the gate fails.
const more = 5

// cost is the best of a benchmark's runs.
type cost struct{ cpu, allocs float64 }

func main() {
	gate := flag.Bool("gate", false, "fail when a ratio is well above what is wanted")
	count := flag.Int("count", 3, "runs of each benchmark")
	benchtime := flag.String("benchtime", "0.5s", "length of a run")
	flag.Parse()
	if err := run(os.Stdout, *gate, *count, *benchtime); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, gate bool, count int, benchtime string) error {
	dir, err := os.MkdirTemp("", "tidemark-bench")
	if err != nil {
		return err
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "benchtable:", err)
		}
	}()
	costs := map[string]cost{}
	b := bencher{dir, count, benchtime, costs}
	for _, s := range stages {
		news := slices.DeleteFunc([]string{s.ours, s.bare}, func(name string) bool { _, done := costs[name]; return done })
		if err := b.measure(s.pkg, news); err != nil {
			return err
		}
	}
	for range more {
		for _, s := range stages {
			if !gate || !s.tooSlow(costs) {
				continue
			}
			if err := b.measure(s.pkg, []string{s.ours, s.bare}); err != nil {
				return err
			}
		}
	}
	out := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "stage\tCPU ns/event\tallocs\thand-written\tratio\twanted\t")
	var faults []error
	for _, s := range stages {
		ours, bare := costs[s.ours], costs[s.bare]
		ratio, wanted := s.ratio(costs), ""
		if s.limit > 0 {
			wanted = fmt.Sprintf("<= %.1f", s.limit)
		}
		fmt.Fprintf(out, "%s\t%.0f\t%.2f\t%.0f\t%.2f\t%s\t\n", s.name, ours.cpu, ours.allocs, bare.cpu, ratio, wanted)
		if s.tooSlow(costs) {
			faults = append(faults, fmt.Errorf("%s: %.2f times the hand-written loop, wanted are %.1f", s.name, ratio, s.limit))
		}
		if s.noAllocs && ours.allocs != 0 {
			faults = append(faults, fmt.Errorf("%s: %v allocations per event", s.name, ours.allocs))
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if gate {
		return errors.Join(faults...)
	}
	return nil
}

func (s stage) ratio(costs map[string]cost) float64 { return costs[s.ours].cpu / costs[s.bare].cpu }

func (s stage) tooSlow(costs map[string]cost) bool {
	return s.limit > 0 && !(s.ratio(costs) <= s.limit*noise)
}

// bencher runs benchmarks of packages whose test binaries it keeps in a folder.
type bencher struct {
	dir       string
	count     int
	benchtime string
	costs     map[string]cost // the best that was seen so far
}

// measure runs benchmarks of a package, in turns: what disturbs the machine for a while disturbs all of them.
func (b *bencher) measure(pkg string, names []string) error {
	processes, runs, benchtime := b.count, 1, b.benchtime
	if pkg == "./bench" {
		processes, runs, benchtime = 1, b.count, "1x" // each run reads hundreds of thousands of events, which take a while to make
	}
	binary := filepath.Join(b.dir, path.Base(pkg)+".test")
	if err := complete(exec.Command("go", "test", "-c", "-o", binary, pkg)); err != nil {
		return fmt.Errorf("benchmarks of %s: %w", pkg, err)
	}
	for range processes {
		cmd := exec.Command(binary, "-test.run", "^$", "-test.bench", pattern(names), "-test.benchtime", benchtime,
			"-test.count", strconv.Itoa(runs), "-test.benchmem")
		cmd.Dir = pkg
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := complete(cmd); err != nil {
			return fmt.Errorf("benchmarks of %s: %w\n%s", pkg, err, &out)
		}
		for line := range strings.Lines(out.String()) {
			take(line, b.costs)
		}
	}
	for _, n := range names {
		if _, ok := b.costs[n]; !ok {
			return fmt.Errorf("benchmarks of %s: no result of %s", pkg, n)
		}
	}
	return nil
}

// complete runs a command to its end. Its complaints are shown.
func complete(cmd *exec.Cmd) error {
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// pattern is what -bench takes to run some benchmarks: the alternatives at each level of their names.
func pattern(names []string) string {
	var levels []string
	for _, name := range names {
		for i, part := range strings.Split("Benchmark"+name, "/") {
			if i == len(levels) {
				levels = append(levels, part)
			} else {
				levels[i] += "|" + part
			}
		}
	}
	for i, alternatives := range levels {
		levels[i] = "^(" + alternatives + ")$"
	}
	return strings.Join(levels, "/")
}

// take reads one line of a benchmark's output, if it is one.
func take(line string, costs map[string]cost) {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
		return
	}
	name := strings.TrimPrefix(fields[0], "Benchmark")
	if at := strings.LastIndexByte(name, '-'); at > 0 {
		name = name[:at] // the number of cores
	}
	best, known := costs[name]
	if !known {
		best = cost{math.Inf(1), math.Inf(1)}
	}
	for i := 2; i+1 < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			continue
		}
		switch fields[i+1] {
		case "cpu-ns/op", "cpu-ns/event":
			best.cpu = min(best.cpu, value)
		case "allocs/op", "allocs/event":
			best.allocs = min(best.allocs, value)
		}
	}
	costs[name] = best
}
