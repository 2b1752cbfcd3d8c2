package truth

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// File is the truth of a stream of records on its way into a file of JSON lines: windows as they close, each metric's in the
// order of starts and then groups, then sessions, alerts, dead letters, and the counters. The file appears when all of it is
// written, or not at all.
type File struct {
	fold        *Fold
	path        string
	windows     *part
	sessions    *part // are found among the windows, and go behind them
	alerts      []Alert
	deadLetters []DeadLetter
	gaps        map[string]*gap // by metric, of those without groups
	err         error           // the first
}

// part is a file under the way.
type part struct {
	file   *os.File
	out    *bufio.Writer
	encode *json.Encoder
}

// CreateFile begins a file for the records of a topic that is empty. The server is one with the default definitions, whose
// windows and sessions close after the last record because the topic falls quiet. Close it without Commit to give it up.
func CreateFile(path string, partitions int) (*File, error) {
	f := &File{path: path, gaps: map[string]*gap{}}
	for _, to := range []struct {
		part   **part
		suffix string
	}{{&f.windows, ".part"}, {&f.sessions, ".sessions.part"}} {
		p, err := newPart(path + to.suffix)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("truth: %w", err), f.Close())
		}
		*to.part = p
	}
	f.fold = NewFold(Options{Rules: DefaultRules(), Partitions: partitions, Watermark: EndOfTime}, Sink{
		Window: f.window,
		Session: func(s Session) {
			f.note(f.sessions.encode.Encode(sessionLine{
				"session", "visits", s.Key, s.First, s.Last, s.ClosedAt, s.Reason, s.Events, map[string]int{"page_views": s.PageViews},
			}))
		},
		Alert:      func(a Alert) { f.alerts = append(f.alerts, a) },
		DeadLetter: func(d DeadLetter) { f.deadLetters = append(f.deadLetters, d) },
	})
	return f, nil
}

func newPart(path string) (*part, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriterSize(file, 256<<10)
	encode := json.NewEncoder(out)
	encode.SetEscapeHTML(false)
	return &part{file, out, encode}, nil
}

// Add takes the next record of its partition; offsets count from 0. What can't be written is told by Commit.
func (f *File) Add(rec *event.Record) {
	at := *rec
	at.Offset = f.fold.partitions[rec.Partition].next
	f.fold.Add(&at)
}

func (f *File) note(err error) {
	if f.err == nil {
		f.err = err
	}
}

// Commit ends the truth and puts the file in its place.
func (f *File) Commit() error {
	_, counters := f.fold.End()
	f.note(f.sessions.out.Flush())
	if _, err := f.sessions.file.Seek(0, io.SeekStart); err != nil {
		f.note(err)
	}
	if _, err := io.Copy(f.windows.out, f.sessions.file); err != nil {
		f.note(err)
	}
	slices.SortFunc(f.alerts, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(a.StartedAt, b.StartedAt), cmp.Compare(a.Rule, b.Rule))
	})
	for i := range f.alerts {
		f.note(f.windows.encode.Encode(alertLineOf(&f.alerts[i])))
	}
	for _, d := range f.deadLetters {
		f.note(f.windows.encode.Encode(deadLetterLine{"dead_letter", d.Partition, d.Offset, d.Reason}))
	}
	c := &counters
	f.note(f.windows.encode.Encode(countersLine{"counters", c.Consumed, c.Applied, c.Filtered, c.Late, c.DeadLetters, c.LatePartly}))
	f.note(f.windows.out.Flush())
	f.note(f.windows.file.Sync())
	if f.err == nil {
		f.err = os.Rename(f.windows.file.Name(), f.path)
	}
	if f.err != nil {
		return fmt.Errorf("truth: %w", f.err)
	}
	return nil
}

// Close removes what is not in its place.
func (f *File) Close() error {
	var faults []error
	for _, p := range []*part{f.windows, f.sessions} {
		if p == nil {
			continue
		}
		faults = append(faults, p.file.Close())
		if err := os.Remove(p.file.Name()); !errors.Is(err, os.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
