package live

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkFrames makes a delta for each of many subscriptions after each commit. `equal` ones ask for the same; `apart` each
// is treated as if nobody else asked for what it does.
func BenchmarkFrames(b *testing.B) {
	for _, rows := range []int{10, 500} {
		for _, clients := range []int{1, 100, 1000} {
			for _, kind := range []string{"equal", "apart"} {
				b.Run(fmt.Sprintf("rows=%d/clients=%d/%s", rows, clients, kind), func(b *testing.B) { benchFrames(b, rows, clients, kind == "apart") })
			}
		}
	}
}

func benchFrames(b *testing.B, rows, clients int, apart bool) {
	s := &stage{plan: testPlan(), store: newMemoryStore(0)}
	s.board = NewBoard(s.plan)
	s.hub = New(Default(), Deps{Board: s.board, Log: &memoryLog{}})
	views := make([]*view, clients)
	seq := uint64(1)
	s.change(seq, rows)
	var buffer []byte
	frame := func(v *view) {
		f, _, err := v.frame(context.Background(), s.hub, buffer[:0])
		if err != nil || f == nil {
			b.Fatal("no frame", err)
		}
		buffer = f
	}
	for i := range views {
		views[i] = s.hub.newView(message{Sub: "s1"}, &faults{})
		if apart {
			views[i].taken = fmt.Sprint(i)
		}
		frame(views[i])
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		seq++
		s.change(seq, rows)
		s.board.snapshot(nil) // the rows themselves are encoded once, whoever asks
		b.StartTimer()
		for _, v := range views {
			frame(v)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*clients), "ns/frame")
}

// BenchmarkClients commits, and waits until every client has taken the frame from its socket. Sockets and reading are in
// the time.
func BenchmarkClients(b *testing.B) {
	for _, rows := range []int{10, 500} {
		for _, clients := range []int{1, 100} {
			b.Run(fmt.Sprintf("rows=%d/clients=%d", rows, clients), func(b *testing.B) {
				s, address := overTCP(b, func(o *Options) { o.WriteTimeout, o.PingEvery = time.Hour, time.Hour })
				seq := uint64(1)
				s.change(seq, rows)
				arrived := make(chan struct{}, clients)
				for range clients {
					conn := reader(b, address, 0)
					go func() {
						for {
							if _, _, err := conn.Read(context.Background()); err != nil {
								return
							}
							arrived <- struct{}{}
						}
					}()
				}
				for range 3 * clients { // welcome, ack and snapshot
					<-arrived
				}
				b.ReportAllocs()
				for b.Loop() {
					seq++
					s.change(seq, rows)
					for range clients {
						<-arrived
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*clients), "ns/frame")
			})
		}
	}
}
