package bench

import "github.com/cockroachdb/pebble/v2"

// Pair is one key and its value.
type Pair struct{ Key, Value []byte }

// Commit writes pairs in one synced batch, as they are: what a commit costs when nothing has to be encoded, merged,
// checked or dropped. It reuses the batch.
func Commit(batch *pebble.Batch, pairs []Pair) error {
	batch.Reset()
	for _, p := range pairs {
		if err := batch.Set(p.Key, p.Value, nil); err != nil {
			return err
		}
	}
	return batch.Commit(pebble.Sync)
}
