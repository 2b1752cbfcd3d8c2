package truth

import (
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

func TestSilence(t *testing.T) {
	began := time.Now()
	s := NewSilence(3)
	for i, c := range []struct {
		second    int
		partition event.PartitionID
		want      int // seconds that the partition had been silent
	}{
		{0, 0, 0},
		{20, 1, 0},
		{40, 0, 40},
		{41, 0, 0},
		{60, 2, 60}, // the first record of all, but the topic has been awake for a minute
		{300, 1, 0}, // the topic was silent
		{320, 1, 0},
		{340, 2, 40},
		{341, 2, 0},
		{350, 0, 50},
	} {
		got := s.Broken(c.partition, began.Add(time.Duration(c.second)*time.Second))
		if want := time.Duration(c.want) * time.Second; got != want {
			t.Errorf("record %d: %v, want %v", i, got, want)
		}
	}
}
