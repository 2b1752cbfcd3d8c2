package store

import (
	"bytes"
	"fmt"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// AlertPos is the place of an alert among all: by the time at which it began to fire, then id.
type AlertPos struct {
	StartedAt event.Millis
	ID        string
}

func appendAlertKey(dst []byte, id string) []byte {
	return append(append(dst, byte(spaceAlert)), id...)
}

// appendMarkKey makes the keys of the two indexes of alerts.
func appendMarkKey(dst []byte, s space, p AlertPos) []byte {
	dst = appendMillis(append(dst, byte(s)), p.StartedAt)
	return append(dst, p.ID...)
}

func parseMarkKey(key []byte) (AlertPos, error) {
	if len(key) <= 1+8 {
		return AlertPos{}, fmt.Errorf("%w: key of an alert's index", errDamaged)
	}
	return AlertPos{StartedAt: parseMillis(key[1:]), ID: string(key[9:])}, nil
}

// The end of a group's value in a key, and a zero byte of the value itself. The end is the smaller one, so that byte order
// is the order of groups.
var (
	valueEnd  = []byte{0, 1}
	valueZero = []byte{0, 0xff}
)

func appendWatchKey(dst []byte, rule definition.Hash, group []string) []byte {
	dst = append(append(dst, byte(spaceWatch)), rule[:]...)
	for _, value := range group {
		dst = append(dst, bytes.ReplaceAll([]byte(value), []byte{0}, valueZero)...)
		dst = append(dst, valueEnd...)
	}
	return dst
}

func parseWatchKey(key []byte) (rule definition.Hash, group []string, err error) {
	if len(key) < 1+len(rule) {
		return rule, nil, fmt.Errorf("%w: key of a watch", errDamaged)
	}
	copy(rule[:], key[1:])
	for rest := key[1+len(rule):]; len(rest) > 0; {
		value, after, ok := bytes.Cut(rest, valueEnd)
		if !ok {
			return rule, nil, fmt.Errorf("%w: key of a watch", errDamaged)
		}
		group = append(group, string(bytes.ReplaceAll(value, valueZero, []byte{0})))
		rest = after
	}
	return rule, group, nil
}
