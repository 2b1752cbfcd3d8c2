package store

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestLongBacklog(t *testing.T) {
	s := mustOpen(t, "s", heldOptions(vfs.NewMem()))
	defer mustClose(t, s)
	const limit = 20_000
	brake := s.LongBacklog("publisher", limit)
	backlog := func() uint64 {
		n, err := s.Backlog("publisher")
		noFault(t, err)
		return n
	}
	for backlog() <= limit {
		if reason := brake(); reason != "" {
			t.Fatalf("%d bytes are waiting: %s", backlog(), reason)
		}
		step(t, s, 10, 1, 5, 100)
	}
	if reason := brake(); !strings.Contains(reason, "wait in the feed for the publisher") || !strings.Contains(reason, "19.5 KiB may") {
		t.Fatalf("%d bytes are waiting: %q", backlog(), reason)
	}
	// Just below the limit is not enough.
	marks, err := s.Marks(0, 1000)
	noFault(t, err)
	released := false
	for _, m := range marks {
		noFault(t, s.SaveReader("publisher", m.Seq))
		n, reason := backlog(), brake()
		if n > limit-limit/10 != (reason != "") {
			t.Fatalf("%d bytes are waiting: %q", n, reason)
		}
		released = released || reason == ""
	}
	if !released {
		t.Error("it never lets go")
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "17": 17, "2KiB": 2 << 10, "3 GiB": 3 << 30} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5%", "1GB", "-1", "99999999TiB"} {
		if _, err := ParseSize(text); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
}
