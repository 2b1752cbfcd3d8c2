package store

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// space is the first byte of a key. The numbers are stored on disk.
type space byte

const (
	spaceMeta       space = 1  // name -> identity of the store; what the last commit left
	spaceCursor     space = 2  // topic, partition -> Cursor
	spaceJournal    space = 3  // topic, partition, offset -> Floor
	spacePane       space = 4  // grouping, start, on time or late -> block; merged
	spaceHistory    space = 5  // grouping, start -> block of a settled pane
	spaceResult     space = 6  // metric, window start -> last revisions of the window
	spaceSession    space = 7  // kind, shard -> block; merged
	spaceFeed       space = 8  // first sequence -> packed entries
	spaceFeedIndex  space = 9  // first sequence -> mask of types; only of feed blocks that hold more than results
	spaceReader     space = 10 // name -> position in the feed
	spaceDefinition space = 11 // hash -> Start
	spaceSchema     space = 12 // framing, fingerprint or number -> Schema
	spaceAlert      space = 13 // id -> Alert
	spaceAlertIndex space = 14 // time it began to fire, id -> alertMark
	spaceFiring     space = 15 // the same, of those that fire
	spaceWatch      space = 16 // rule, group -> what the rule remembers
	spaceDigest     space = 17 // hash -> DefinitionDigest
	spaceMark       space = 18 // last sequence of a commit -> Mark
	spaceGap        space = 19 // topic, partition, where reading went on, when it was accepted -> Gap
	spaceFault      space = 20 // topic, partition -> Fault that stands
	spaceRollup     space = 21 // grouping, level, start -> block of a cell of settled panes
	spaceRolled     space = 22 // grouping -> rollup
)

// spaceNames are the names of the keyspaces, in the order of their prefixes.
var spaceNames = []struct {
	space space
	name  string
}{
	{spaceMeta, "meta"},
	{spaceCursor, "cursor"},
	{spaceJournal, "journal"},
	{spacePane, "pane"},
	{spaceHistory, "history"},
	{spaceResult, "result"},
	{spaceSession, "session"},
	{spaceFeed, "feed"},
	{spaceFeedIndex, "feed_index"},
	{spaceReader, "reader"},
	{spaceDefinition, "definition"},
	{spaceSchema, "schema"},
	{spaceAlert, "alert"},
	{spaceAlertIndex, "alert_index"},
	{spaceFiring, "alert_firing"},
	{spaceWatch, "watch"},
	{spaceDigest, "digest"},
	{spaceMark, "mark"},
	{spaceGap, "gap"},
	{spaceFault, "fault"},
	{spaceRollup, "rollup"},
	{spaceRolled, "rolled"},
}

var (
	identityKey = append([]byte{byte(spaceMeta)}, "identity"...)
	commitKey   = append([]byte{byte(spaceMeta)}, "commit"...)
)

// bounds returns the range of all keys of a keyspace.
func (s space) bounds() (lower, upper []byte) { return []byte{byte(s)}, []byte{byte(s) + 1} }

// appendMillis appends eight bytes whose order is the order of times: the sign is flipped.
func appendMillis(dst []byte, t event.Millis) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t)^1<<63)
}

func parseMillis(b []byte) event.Millis {
	return event.Millis(binary.BigEndian.Uint64(b) ^ 1<<63)
}

// appendTopic ends the name with a zero, which no topic name has, so that one topic's keys stand together.
func appendTopic(dst []byte, topic string, p event.PartitionID) []byte {
	dst = append(dst, topic...)
	dst = append(dst, 0)
	return binary.BigEndian.AppendUint32(dst, uint32(p))
}

func parseTopic(b []byte) (topic string, p event.PartitionID, rest []byte, err error) {
	for i, c := range b {
		if c == 0 && len(b) >= i+5 {
			return string(b[:i]), event.PartitionID(binary.BigEndian.Uint32(b[i+1:])), b[i+5:], nil
		}
	}
	return "", 0, nil, fmt.Errorf("%w: key of a topic", errDamaged)
}

func appendCursorKey(dst []byte, topic string, p event.PartitionID) []byte {
	return appendTopic(append(dst, byte(spaceCursor)), topic, p)
}

func appendJournalKey(dst []byte, f *processing.Floor) []byte {
	dst = appendTopic(append(dst, byte(spaceJournal)), f.Topic, f.Partition)
	return binary.BigEndian.AppendUint64(dst, uint64(f.Offset)^1<<63)
}

func appendPaneKey(dst []byte, k processing.PaneKey) []byte {
	dst = appendTimeKey(dst, spacePane, k.Grouping, k.Start)
	if k.Late {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func parsePaneKey(key []byte) (k processing.PaneKey, err error) {
	if len(key) != timeKeySize+1 || key[timeKeySize] > 1 {
		return k, fmt.Errorf("%w: key of a pane", errDamaged)
	}
	copy(k.Grouping[:], key[1:])
	k.Start = parseMillis(key[17:])
	k.Late = key[timeKeySize] != 0
	return k, nil
}

// timeKeySize is the length of a key made of a keyspace, a hash and a time.
const timeKeySize = 1 + 16 + 8

// appendTimeKey makes the keys of history and results, and the beginning of a pane's.
func appendTimeKey(dst []byte, s space, h definition.Hash, t event.Millis) []byte {
	dst = append(dst, byte(s))
	dst = append(dst, h[:]...)
	return appendMillis(dst, t)
}

func parseTimeKey(key []byte) (h definition.Hash, t event.Millis, err error) {
	if len(key) < timeKeySize {
		return h, 0, fmt.Errorf("%w: key of a hash and a time", errDamaged)
	}
	copy(h[:], key[1:])
	return h, parseMillis(key[17:]), nil
}

func appendSessionKey(dst []byte, kind definition.Hash, shard int) []byte {
	dst = append(dst, byte(spaceSession))
	dst = append(dst, kind[:]...)
	return binary.BigEndian.AppendUint16(dst, uint16(shard))
}

func parseSessionKey(key []byte) (kind definition.Hash, shard int, err error) {
	if len(key) != 1+16+2 {
		return kind, 0, fmt.Errorf("%w: key of a session shard", errDamaged)
	}
	copy(kind[:], key[1:])
	return kind, int(binary.BigEndian.Uint16(key[17:])), nil
}

func appendFeedKey(dst []byte, s space, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(s)), seq)
}

func parseFeedKey(key []byte) (uint64, error) {
	if len(key) != 1+8 {
		return 0, fmt.Errorf("%w: key of a feed block", errDamaged)
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}

func readerKey(name string) []byte { return append([]byte{byte(spaceReader)}, name...) }

// appendHashKey makes the keys of definitions and digests, and the beginning of those of cells.
func appendHashKey(dst []byte, s space, h definition.Hash) []byte {
	return append(append(dst, byte(s)), h[:]...)
}

func parseHashKey(key []byte) (h definition.Hash, err error) {
	if len(key) != 1+len(h) {
		return h, fmt.Errorf("%w: key of a hash", errDamaged)
	}
	return definition.Hash(key[1:]), nil
}

func appendSchemaKey(dst []byte, r schemas.Ref) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(spaceSchema), byte(r.Framing)), r.ID)
}

func parseSchemaKey(key []byte) (schemas.Ref, error) {
	if len(key) != 1+1+8 {
		return schemas.Ref{}, fmt.Errorf("%w: key of a schema", errDamaged)
	}
	return schemas.Ref{Framing: schemas.Framing(key[1]), ID: binary.BigEndian.Uint64(key[2:])}, nil
}

// prefixEnd is the first key after all that begin with prefix; the first byte, a keyspace, is never 0xff.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	panic("BUG: a key prefix of 0xff bytes only")
}
