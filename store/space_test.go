package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestParseMinFree(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // or what the error says
	}{
		{"5%,1GiB", "5% 1073741824"},
		{" 2.5 % , 500 MiB ", "2.5% 524288000"},
		{"0", "0% 0"},
		{"0%", "0% 0"},
		{"4096", "0% 4096"},
		{"1%,3%,2KiB,1", "3% 2048"},
		{"16777215TiB", "0% 18446742974197923840"},
		{"16777216TiB", "is no size"},
		{"100%", "not a percentage"},
		{"-1%", "not a percentage"},
		{"NaN%", "not a percentage"},
		{"%", "not a percentage"},
		{"", "is no size"},
		{"5%,", "is no size"},
		{"-1", "is no size"},
		{"1GB", "is no size"},
		{"1.5GiB", "is no size"},
	} {
		m, err := ParseMinFree(c.text)
		got := fmt.Sprintf("%g%% %d", m.Percent, m.Bytes)
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
}

// gauge is a file system that tells what the test wants.
type gauge struct {
	vfs.FS
	free, total uint64
	err         error
}

func (g *gauge) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: g.free, TotalBytes: g.total, UsedBytes: g.total - g.free}, g.err
}

// A brake that lets go as soon as there is a byte more than it wants would grip again at once.
func TestLowSpaceHoldsUntilThereIsMore(t *testing.T) {
	const GiB = 1 << 30
	g := &gauge{FS: vfs.NewMem(), total: 100 * GiB, free: 50 * GiB}
	s := mustOpen(t, "data/store", testOptions(g))
	defer mustClose(t, s)
	low, off := s.LowSpace(DefaultMinFree), s.LowSpace(MinFree{})
	for i, step := range []struct {
		free uint64
		held bool
	}{
		{50 * GiB, false}, {5 * GiB, false}, {5*GiB - 1, true}, {5 * GiB, true}, {5*GiB + GiB/2 - 1, true},
		{5*GiB + GiB/2, false}, {5 * GiB, false}, {0, true}, {6 * GiB, false},
	} {
		g.free = step.free
		if reason := low(); (reason != "") != step.held {
			t.Errorf("step %d, %d free: %q", i, step.free, reason)
		}
		if reason := off(); reason != "" {
			t.Errorf("turned off: %q", reason)
		}
	}
	g.total, g.free = 4*GiB, GiB-1
	if reason, want := low(), "data/store is nearly full: 1024.0 MiB are free, and 1.0 GiB are wanted; there must be 1.1 GiB"; !strings.Contains(reason, want) {
		t.Errorf("a small disk: %q", reason)
	}
}

func TestLowSpaceOfADiskThatDoesNotTell(t *testing.T) {
	g := &gauge{FS: vfs.NewMem(), err: vfs.ErrUnsupported}
	s := mustOpen(t, "data/store", testOptions(g))
	defer mustClose(t, s)
	low := s.LowSpace(DefaultMinFree)
	if reason := low(); reason != "" {
		t.Errorf("a file system that never tells: %q", reason)
	}
	g.err = errors.New("stale handle")
	if reason := low(); !strings.Contains(reason, "stale handle") {
		t.Errorf("a disk that fails: %q", reason)
	}
}
