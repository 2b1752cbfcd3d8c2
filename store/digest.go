package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// Digests returns the digests of all definitions, by name and then hash. Of one that is no longer in force it is as it was
// then.
func (v *View) Digests() (digests []processing.DefinitionDigest, err error) {
	lower, upper := spaceDigest.bounds()
	err = v.scan(lower, upper, func(key, value []byte) error {
		d, err := decodeDigest(key, value)
		digests = append(digests, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read digests: %w", err)
	}
	slices.SortStableFunc(digests, func(a, b processing.DefinitionDigest) int { return strings.Compare(a.Name, b.Name) })
	return digests, nil
}

// DigestsInForce are the digests of the definitions that were in force at the commit.
func (v *View) DigestsInForce() ([]processing.DefinitionDigest, error) {
	starts, err := v.Starts()
	if err != nil {
		return nil, err
	}
	ended := make(map[definition.Hash]bool)
	for i := range starts {
		ended[starts[i].Hash] = starts[i].Ended()
	}
	digests, err := v.Digests()
	return slices.DeleteFunc(digests, func(d processing.DefinitionDigest) bool { return ended[d.Hash] }), err
}

// WindowDigests hands on what each window that starts at from or later adds to its metric's digest, by start. Windows that
// add nothing are left out, and so are those that retention has dropped.
func (v *View) WindowDigests(hash definition.Hash, from event.Millis, each func(start event.Millis, sum digest.Sum) error) error {
	prefix := append([]byte{byte(spaceResult)}, hash[:]...)
	err := v.scan(appendTimeKey(nil, spaceResult, hash, from), prefixEnd(prefix), func(key, value []byte) error {
		_, start, err := parseTimeKey(key)
		if err != nil {
			return err
		}
		sum, err := decodeWindowDigest(value)
		if err != nil || sum.IsZero() {
			return err
		}
		return each(start, sum)
	})
	if err != nil {
		return fmt.Errorf("read digests of windows: %w", err)
	}
	return nil
}

func appendDigest(dst []byte, d *processing.DefinitionDigest) []byte {
	dst = append(dst, formatV1)
	dst = appendBytes(dst, d.Name)
	dst = binary.AppendUvarint(dst, uint64(d.Facts))
	return d.Sum.Append(dst)
}

func decodeDigest(key, value []byte) (dd processing.DefinitionDigest, err error) {
	if dd.Hash, err = parseHashKey(key); err != nil {
		return dd, err
	}
	d := decodeValue(value)
	dd.Name = d.string()
	facts := d.uvarint()
	if facts > math.MaxInt64 {
		d.fail("number of facts")
	}
	dd.Facts, dd.Sum = int64(facts), d.sum()
	return dd, d.end()
}
