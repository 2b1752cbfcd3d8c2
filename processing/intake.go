package processing

import (
	"context"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// intake hands fetched records to the workers and holds back those of partitions that are far ahead of W: that changes
// no verdict, but it bounds what the sequencer holds and what a restart has to read again. It is owned by the loop.
type intake struct {
	source     Source
	workers    []*worker
	partitions map[event.PartitionID]*partition
	waiting    map[event.PartitionID]*queue
	shared     *shared
	maxAhead   event.Millis
	final      event.Millis // once W is here it goes no further: nothing is too far ahead then
	library    *library
	dispatched int // records since the last barrier

	unharvested bool // something was handed on since the last barrier

	braked string // why nothing is handed on; "": it is
}

// arrival is a fetch answer's part of one partition, and the schemas that its records name.
type arrival struct {
	Fetched
	uses    []use
	checked bool // whether they are known was looked up: what was missing then is what has to come
}

// queue is what waits of one partition.
type queue struct {
	answers []arrival
	at      int // records of answers[0] that were handed on
	records int
	bytes   int // of keys and values
	paused  bool
	lacking []schemas.Ref // what the schema registry has to tell before answers[0] can be judged
}

const (
	// portion is how many records of a partition a worker gets at once, so that W is looked at between them, and
	// portionBytes about how long they are, so that it is also looked at what they have become.
	portion      = 2048
	portionBytes = 1 << 20
	// maxWaiting is about how many records wait before fetching stops: of all partitions that are ahead of W, each with an
	// equal part. No bound is for all of them together, because W needs the one that is behind.
	maxWaiting = 500_000
	// minPart is the least of such parts, maxPart the largest.
	minPart, maxPart = portion, 50_000
	// maxWaitingBytes and minPartBytes are the same in bytes: whichever comes first.
	maxWaitingBytes, minPartBytes = 128 << 20, 2 << 20
	// maxCommitRecords and maxCommitBytes bound what one commit takes, and with it the batch, which has to stay below
	// 64 MiB: what is on its way to the workers comes on top, some portions each.
	maxCommitRecords, maxCommitBytes = 500_000, 24 << 20
)

// crowded reports whether so much of a partition waits that its fetching has to stop. It goes on below a fifth of that.
func (in *intake) crowded(q *queue) bool {
	records, bytes := in.parts()
	return q.records > records || q.bytes > bytes
}

func (in *intake) roomy(q *queue) bool {
	records, bytes := in.parts()
	return q.records < records/5 && q.bytes < bytes/5
}

func (in *intake) parts() (records, bytes int) {
	n := max(len(in.partitions), 1)
	return min(max(maxWaiting/n, minPart), maxPart), max(maxWaitingBytes/n, minPartBytes)
}

// full reports whether nothing more is handed on before a commit.
func (in *intake) full() bool {
	return in.dispatched >= maxCommitRecords || in.shared.staged.Load() >= maxCommitBytes
}

// take queues a whole fetch answer and hands on what may go.
func (in *intake) take(ctx context.Context, answer []arrival, w event.Millis) {
	for _, f := range answer {
		if in.partitions[f.Partition] == nil {
			continue // faulted meanwhile
		}
		q := in.waiting[f.Partition]
		if q == nil {
			q = &queue{}
			in.waiting[f.Partition] = q
		}
		q.answers = append(q.answers, f)
		q.records += len(f.Records)
		for i := range f.Records {
			q.bytes += sizeOf(&f.Records[i])
		}
	}
	in.handOn(ctx, w)
}

func sizeOf(rec *event.Record) int { return len(rec.Key) + len(rec.Value) }

// handOn gives the workers what is not too far ahead, until the next commit has enough.
func (in *intake) handOn(ctx context.Context, w event.Millis) {
	if in.braked != "" {
		return
	}
	var pause, resume []event.PartitionID
	for id, q := range in.waiting {
		p := in.partitions[id]
		for len(q.answers) > 0 && !in.full() && !in.ahead(p, w) && !in.lacks(p, q) {
			if !in.send(ctx, p, q) {
				return
			}
		}
		switch {
		case !q.paused && in.crowded(q):
			q.paused = true
			pause = append(pause, id)
		case q.paused && in.roomy(q):
			q.paused = false
			resume = append(resume, id)
		case len(q.answers) == 0 && !q.paused:
			delete(in.waiting, id)
		}
	}
	if pause != nil {
		in.source.Pause(pause)
	}
	if resume != nil {
		in.source.Resume(resume)
	}
}

// ahead reports whether a partition is further ahead of W than may be. It never is while its held rows are read again,
// nor is the one that holds W: its own watermark is W.
func (in *intake) ahead(p *partition, w event.Millis) bool {
	if event.Offset(p.seenPosition.Load()) < p.resume || w >= in.final {
		return false
	}
	own := event.Millis(p.seenWatermark.Load())
	if own == event.NoTime {
		return false
	}
	if w == event.NoTime {
		lowest := in.shared.lowest.Load()
		return lowest != noLowest && own > event.Millis(lowest)+in.maxAhead
	}
	return own > w+in.maxAhead
}

// lacks reports whether the next answer has to wait for schemas, and asks for them.
func (in *intake) lacks(p *partition, q *queue) bool {
	switch f := &q.answers[0]; {
	case len(f.uses) == 0:
	case f.checked:
		q.lacking = slices.DeleteFunc(q.lacking, in.library.answered)
	default:
		q.lacking = in.library.lacking(p, f.uses)
		f.checked = true
	}
	return len(q.lacking) > 0
}

// lacking are the schemas that a partition waits for.
func (in *intake) lacking(id event.PartitionID) []schemas.Ref {
	if q := in.waiting[id]; q != nil {
		return q.lacking
	}
	return nil
}

// portionEnd is where the next portion of a partition ends.
func (in *intake) portionEnd(p *partition, q *queue) int {
	f := q.answers[0]
	end, size := q.at, 0
	for end < len(f.Records) && end < q.at+portion && size < portionBytes {
		size += sizeOf(&f.Records[end])
		end++
	}
	if len(f.uses) > 0 {
		end = q.at + in.library.cut(p, f.uses, f.Records[q.at:end])
	}
	return end
}

// send gives the partition's worker the next portion. It reports false when ctx ended first.
func (in *intake) send(ctx context.Context, p *partition, q *queue) bool {
	f := q.answers[0]
	end := in.portionEnd(p, q)
	var writers event.Writers
	if len(f.uses) > 0 {
		writers = in.library.writers(p, f.uses, f.Records[q.at].Offset)
	}
	part := f.Fetched
	part.Records = f.Records[q.at:end]
	m := message{partition: p, fetched: part, last: end == len(f.Records), whole: f.Fetched, writers: writers}
	if !m.last {
		part.Position = f.Records[end-1].Offset + 1
		m.fetched = part
	}
	bytes := 0 // the worker may be done with the records, and they be cleared, before we go on
	for i := range part.Records {
		bytes += sizeOf(&part.Records[i])
	}
	select {
	case in.workers[p.worker].in <- m:
	case <-ctx.Done():
		return false
	}
	in.unharvested = true
	q.records -= end - q.at
	q.bytes -= bytes
	in.dispatched += end - q.at
	q.at = end
	if m.last {
		q.answers, q.at = q.answers[1:], 0
	}
	return true
}

// held is how many records wait, because their partitions are ahead or the next commit has enough.
func (in *intake) held() int {
	n := 0
	for _, q := range in.waiting {
		n += q.records
	}
	return n
}

// poll passes fetch answers on.
func (l *loop) poll(taking context.Context) error {
	for taking.Err() == nil {
		answer := l.source().Poll(taking)
		if len(answer) == 0 {
			continue
		}
		arrivals := make([]arrival, len(answer))
		for i, f := range answer {
			arrivals[i] = arrival{Fetched: f, uses: usesOf(l.pipeline.options.Encoding, f.Records)}
		}
		select {
		case l.answers <- arrivals:
		case <-taking.Done():
		}
	}
	return nil
}

// learn takes what the schema registry says, and goes on with what waited for it.
func (l *loop) learn(ctx context.Context, answers []answer) {
	for _, a := range answers {
		l.pipeline.library.learn(a)
	}
	l.intake.handOn(ctx, l.watermark)
	l.report()
}
