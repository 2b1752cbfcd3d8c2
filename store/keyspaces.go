package store

import "fmt"

// KeyspaceStat is the size of one keyspace.
type KeyspaceStat struct {
	Name  string
	Keys  int64
	Bytes int64 // of keys and values, merged and before compression
}

// Keyspaces counts what the store holds. It reads all of it.
func (v *View) Keyspaces() ([]KeyspaceStat, error) {
	stats := make([]KeyspaceStat, 0, len(spaceNames))
	for _, s := range spaceNames {
		stat := KeyspaceStat{Name: s.name}
		lower, upper := s.space.bounds()
		err := v.scan(lower, upper, func(key, value []byte) error {
			stat.Keys++
			stat.Bytes += int64(len(key) + len(value))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("count keyspace %s: %w", s.name, err)
		}
		stats = append(stats, stat)
	}
	return stats, nil
}

// ReaderPosition is how far a feed reader has come.
type ReaderPosition struct {
	Name     string
	Position uint64
}

// Readers returns all feed readers, by name.
func (v *View) Readers() (readers []ReaderPosition, err error) {
	lower, upper := spaceReader.bounds()
	err = v.scan(lower, upper, func(key, value []byte) error {
		seq, err := decodePosition(value)
		readers = append(readers, ReaderPosition{Name: string(key[1:]), Position: seq})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read feed readers: %w", err)
	}
	return readers, nil
}
