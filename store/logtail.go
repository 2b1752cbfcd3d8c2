package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// checkLog tells damage in the log from a tail that a crash has torn, where Pebble doesn't look.
//
// Pebble reads a log up to the first chunk that is not whole. What follows is the end, or what a crash has left, or it was
// acknowledged and its bytes are not what they were. To know, Pebble searches what follows for chunks that say "the log was synced
// up to here", but from the next block of 32 KiB on: in the last block, which is all there is of most logs, a flipped bit would
// take back every commit behind it without a word. Here the search begins at the broken chunk.
//
// What can't be told is damage in the last commit, or the last two, that a process made before it was killed: nothing behind says that
// they were synced. They are taken for torn, and made again from the events' log.
func checkLog(fsys vfs.FS, dir string) error {
	name, number, err := lastLog(fsys, dir)
	if err != nil || name == "" {
		return err
	}
	f, err := fsys.Open(fsys.PathJoin(dir, name))
	if err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	data, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("check log: read %s: %w", name, err)
	}
	log := walLog{data: data, number: uint32(number)}
	broken := log.end()
	if synced, ok := log.syncedBehind(broken); ok {
		return fmt.Errorf("%w: log %s is broken at byte %d, and was synced up to byte %d", errDamaged, name, broken, synced)
	}
	return nil
}

// lastLog is the log that ends as a crash has left it; Pebble demands of all others that they end in order.
func lastLog(fsys vfs.FS, dir string) (name string, number uint64, err error) {
	names, err := fsys.List(dir)
	if err != nil {
		return "", 0, fmt.Errorf("check log: list %s: %w", dir, err)
	}
	for _, n := range names {
		digits, ok := strings.CutSuffix(n, ".log")
		if !ok {
			continue
		}
		if parsed, err := strconv.ParseUint(digits, 10, 64); err == nil && (name == "" || parsed > number) {
			name, number = n, parsed
		}
	}
	return name, number, nil
}

// walLog is a log in Pebble's format with sync offsets (record.go there): blocks of 32 KiB, of chunks that don't cross their
// borders. A chunk is
//
//	4 checksum, of all that follows
//	2 length of the payload
//	1 type
//	4 number of the log, lower half
//	8 sync offset: what of the log was known to be synced when the chunk was written
//	… payload
type walLog struct {
	data   []byte
	number uint32
}

const (
	walBlock  = 32 << 10
	walHeader = 19
	walFirst  = 9 // the lowest type of such a chunk: whole, first, middle, last
	walLast   = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunk reads the chunk at an offset; ok is false if there is none that is whole and of this log.
func (l *walLog) chunk(at int) (size int, synced uint64, ok bool) {
	if walBlock-at%walBlock < walHeader || len(l.data)-at < walHeader {
		return 0, 0, false
	}
	b := l.data[at:]
	if b[6] < walFirst || b[6] > walLast || binary.LittleEndian.Uint32(b[7:]) != l.number {
		return 0, 0, false
	}
	size = walHeader + int(binary.LittleEndian.Uint16(b[4:]))
	if size > len(b) || at%walBlock+size > walBlock {
		return 0, 0, false
	}
	sum := crc32.Checksum(b[6:size], castagnoli)
	if binary.LittleEndian.Uint32(b) != (sum>>15|sum<<17)+0xa282ead8 {
		return 0, 0, false
	}
	return size, binary.LittleEndian.Uint64(b[11:]), true
}

// end is where the first chunk begins that is not whole.
func (l *walLog) end() int {
	at := 0
	for {
		size, _, ok := l.chunk(at)
		if ok {
			at += size
			continue
		}
		next := (at/walBlock + 1) * walBlock
		// A block that has no room for a header is filled up with zeros.
		if next-at >= walHeader || next > len(l.data) {
			return at
		}
		at = next
	}
}

// syncedBehind searches what follows for a chunk that says that the log was synced beyond an offset.
func (l *walLog) syncedBehind(broken int) (synced uint64, ok bool) {
	for at := broken; at+walHeader <= len(l.data); at++ {
		if _, synced, ok := l.chunk(at); ok && synced > uint64(broken) {
			return synced, true
		}
	}
	return 0, false
}
