package alert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// A block is what is remembered of one group:
//
//	byte     the format, 1
//	byte     flags, see below
//	varint   while pending or ending: since
//	varint   with seen: the end of the last window that had events
//	8 bytes  with previous: a float64, big-endian
//
// The alert that fires is not part of it: it is stored for itself.

// blockFormat is the first byte of every block.
const blockFormat = 1

// The flags of a block: one of the first four, and any of the others.
const (
	flagInactive = 0
	flagPending  = 1
	flagFiring   = 2 // the condition holds
	flagEnding   = 3 // it does not hold any more, and keep_firing_for is not over
	flagsOfState = 3
	flagSeen     = 4
	flagPrevious = 8
	flagsKnown   = flagsOfState | flagSeen | flagPrevious
)

// ErrBadBlock is returned, wrapped, for bytes that are not a block, or for one that does not go with the rest of the state.
var ErrBadBlock = errors.New("not the state of a rule")

// appendBlock appends the watch's block.
func (g *watch) appendBlock(dst []byte) []byte {
	flags := byte(flagInactive)
	switch {
	case g.state == Pending:
		flags = flagPending
	case g.state == Firing && g.since == event.NoTime:
		flags = flagFiring
	case g.state == Firing:
		flags = flagEnding
	}
	timed := flags == flagPending || flags == flagEnding
	if g.seen != event.NoTime {
		flags |= flagSeen
	}
	if g.previous.Valid {
		flags |= flagPrevious
	}
	dst = append(dst, blockFormat, flags)
	if timed {
		dst = binary.AppendVarint(dst, int64(g.since))
	}
	if g.seen != event.NoTime {
		dst = binary.AppendVarint(dst, int64(g.seen))
	}
	if g.previous.Valid {
		dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(g.previous.Float))
	}
	return dst
}

// decode reads a block into the watch.
func (g *watch) decode(b []byte) error {
	if len(b) < 2 {
		return fmt.Errorf("%w: %d byte(s)", ErrBadBlock, len(b))
	}
	if b[0] != blockFormat {
		return fmt.Errorf("%w: format %d", ErrBadBlock, b[0])
	}
	flags, rest := b[1], b[2:]
	if flags&^flagsKnown != 0 || flags == flagInactive {
		return fmt.Errorf("%w: flags %#x", ErrBadBlock, flags)
	}
	g.machine, g.seen, g.previous = idle, event.NoTime, definition.Number{}
	var err error
	switch flags & flagsOfState {
	case flagPending:
		g.state = Pending
		g.since, rest, err = readTime(rest)
	case flagFiring:
		g.state = Firing
	case flagEnding:
		g.state = Firing
		g.since, rest, err = readTime(rest)
	}
	if err == nil && flags&flagSeen != 0 {
		g.seen, rest, err = readTime(rest)
	}
	if err != nil {
		return err
	}
	if flags&flagPrevious != 0 {
		if len(rest) < 8 {
			return fmt.Errorf("%w: previous ends early", ErrBadBlock)
		}
		g.previous = definition.Number{Float: math.Float64frombits(binary.BigEndian.Uint64(rest)), Valid: true}
		if rest = rest[8:]; math.IsNaN(g.previous.Float) || math.IsInf(g.previous.Float, 0) {
			return fmt.Errorf("%w: previous is %v", ErrBadBlock, g.previous.Float)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d byte(s) behind it", ErrBadBlock, len(rest))
	}
	return nil
}

// maxTime is far beyond every event, and safe to add to.
const maxTime = 1 << 53

// readTime refuses varints that are longer than they need to be.
func readTime(b []byte) (event.Millis, []byte, error) {
	n, size := binary.Varint(b)
	if size <= 0 || size > 1 && b[size-1] == 0 || n < -maxTime || n > maxTime {
		return 0, nil, fmt.Errorf("%w: a time", ErrBadBlock)
	}
	return event.Millis(n), b[size:], nil
}
