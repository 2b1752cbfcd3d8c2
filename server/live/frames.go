package live

import "sync"

// maxFrames is how many different frames of one version are kept. Readers beyond them make their own.
const maxFrames = 64

// frames are what readers of the board are told at its newest version. Clients with equal subscriptions share one: it is
// looked up and encoded once, whatever their number. What is in front of it, the subscription's name and the sequence
// before, is each client's own.
//
// A frame is kept until the first reader of a newer version comes. One that was made in between two versions tells of the
// newer one, and says so in its picture.
type frames struct {
	board   *Board
	mu      sync.Mutex
	version uint64
	made    map[frameKey]*sharedFrame
}

type frameKey struct {
	filter   string // its name
	snapshot bool
	since    uint64 // version; of a delta
}

// sharedFrame is made by the first who wants it, while the others wait.
type sharedFrame struct {
	once    sync.Once
	picture picture
	body    []byte
	ok      bool // the difference can be told
}

// snapshot is of all that a filter takes.
func (f *frames) snapshot(of filter, name string) (picture, []byte) {
	s := f.find(frameKey{filter: name, snapshot: true})
	s.once.Do(func() {
		s.picture = f.board.snapshot(of)
		s.body = snapshotBody(s.picture)
	})
	return s.picture, s.body
}

// delta is what has changed after a version. It reports false when that can't be told any more.
func (f *frames) delta(of filter, name string, since uint64) (picture, []byte, bool) {
	s := f.find(frameKey{filter: name, since: since})
	s.once.Do(func() {
		if s.picture, s.ok = f.board.delta(of, since); s.ok {
			s.body = deltaBody(s.picture)
		}
	})
	return s.picture, s.body, s.ok
}

func (f *frames) find(key frameKey) *sharedFrame {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v := f.board.newest(); v != f.version || f.made == nil {
		f.version, f.made = v, make(map[frameKey]*sharedFrame)
	}
	s := f.made[key]
	if s == nil {
		s = &sharedFrame{}
		if len(f.made) < maxFrames {
			f.made[key] = s
		}
	}
	return s
}
