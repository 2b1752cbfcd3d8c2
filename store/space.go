package store

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MinFree is how much of a file system must stay free: the larger of both. The zero value asks for nothing.
type MinFree struct {
	Percent float64 // of the file system's size
	Bytes   uint64
}

// DefaultMinFree is what a server leaves free. Pebble rewrites what it has in order to make it smaller: a store that must
// not run out of space needs some to stay.
var DefaultMinFree = MinFree{Percent: 5, Bytes: 1 << 30}

// ParseMinFree reads "5%", "500MiB", "1000000", or several of them, as in "5%,1GiB", of which the largest counts.
func ParseMinFree(text string) (MinFree, error) {
	var m MinFree
	for term := range strings.SplitSeq(text, ",") {
		term = strings.TrimSpace(term)
		if number, ok := strings.CutSuffix(term, "%"); ok {
			percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil || !(percent >= 0 && percent < 100) {
				return MinFree{}, fmt.Errorf("%q is not a percentage from 0%% to below 100%%", term)
			}
			m.Percent = max(m.Percent, percent)
			continue
		}
		size, err := parseBytes(term)
		if err != nil {
			return MinFree{}, err
		}
		m.Bytes = max(m.Bytes, size)
	}
	return m, nil
}

// units are the sizes that are read and shown, the largest first.
var units = []struct {
	name string
	size uint64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func parseBytes(text string) (uint64, error) {
	number, unit := text, uint64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = strings.TrimSpace(n), u.size
		}
	}
	n, err := strconv.ParseUint(number, 10, 64)
	hi, size := bits.Mul64(n, unit)
	if err != nil || hi != 0 {
		return 0, fmt.Errorf("%q is no size: want bytes, or a whole number of KiB, MiB, GiB or TiB, or a percentage such as 5%%", text)
	}
	return size, nil
}

func showBytes(n uint64) string {
	for _, u := range units {
		if n >= u.size {
			return strconv.FormatFloat(float64(n)/float64(u.size), 'f', 1, 64) + " " + u.name
		}
	}
	return strconv.FormatUint(n, 10) + " bytes"
}

// of is the least that must be free on a file system of a size.
func (m MinFree) of(total uint64) uint64 {
	return max(m.Bytes, uint64(math.Ceil(float64(total)*m.Percent/100)))
}

// LowSpace returns a brake for the pipeline: it gives a reason while less than m is free where the store is, and from then
// on until there is a tenth more, so that what is freed by the stop itself doesn't end it. It must be asked by one goroutine.
func (s *Store) LowSpace(m MinFree) func() (reason string) {
	if m == (MinFree{}) {
		return func() string { return "" }
	}
	held, mute := false, false
	return func() string {
		usage, err := s.opts.FS.GetDiskUsage(s.dir)
		if err != nil {
			return s.unknownSpace(err, &mute)
		}
		mute = false
		least := m.of(usage.TotalBytes)
		again := least + least/10
		held = usage.AvailBytes < least || held && usage.AvailBytes < again
		if !held {
			return ""
		}
		return fmt.Sprintf("the disk of %s is nearly full: %s are free, and %s are wanted; there must be %s before it goes on",
			s.dir, showBytes(usage.AvailBytes), showBytes(least), showBytes(again))
	}
}

// unknownSpace is the reason when a file system doesn't tell what is free. One that never does can't be watched; for another it
// is a fault of the disk.
func (s *Store) unknownSpace(err error, mute *bool) string {
	if !errors.Is(err, vfs.ErrUnsupported) {
		return fmt.Sprintf("the disk of %s does not tell how much is free: %v", s.dir, err)
	}
	if !*mute {
		*mute = true
		s.opts.Logger.Warn("free space is not watched: the file system does not tell it", "dir", s.dir)
	}
	return ""
}
