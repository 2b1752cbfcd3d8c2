package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is a pipeline in which partition 3 stands still.
type scene struct {
	decided []string
	busy    bool
	slow    chan struct{} // a backup waits for it
}

func (s *scene) Status() processing.Status {
	return processing.Status{Phase: processing.Faulted, Verdict: "Partition 3 stands still", Partitions: []processing.PartitionStatus{
		{Topic: "events", Partition: 1}, {Topic: "events", Partition: 3, FaultKind: processing.TailLost, Fault: "its tail was lost", Advice: "decide"},
	}}
}

func (s *scene) AcceptGap(_ context.Context, topic string, only *event.PartitionID) ([]processing.Gap, error) {
	if only != nil && *only != 3 {
		return nil, fmt.Errorf("%w: %s/%d is read", processing.ErrNotFaulted, topic, *only)
	}
	s.decided = append(s.decided, topic)
	return []processing.Gap{{Topic: topic, Partition: 3, From: 7, To: 9, Reason: "retention_passed"}}, nil
}

func (s *scene) Start() error {
	if s.busy {
		return ErrBusy
	}
	s.busy = true
	return nil
}

func (s *scene) Progress() Rebuild { return Rebuild{State: RebuildRunning, Records: 5, Total: 10} }

func (s *scene) backup(ctx context.Context, to string) (*store.Manifest, error) {
	if to == "/full" {
		return nil, fmt.Errorf("backup: %w: %s", store.ErrNotEmpty, to)
	}
	if s.slow != nil {
		close(s.slow)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &store.Manifest{Instance: "i", Head: 12}, nil
}

// serve answers for a scene until the test ends.
func serve(t *testing.T, s *scene) (data string, stop func()) {
	t.Helper()
	data, err := os.MkdirTemp("", "adm") // short, whatever the test is called
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- NewServer(Deps{Pipeline: s, Backup: s.backup, Rebuild: s, Version: "v", Logger: slog.New(slog.DiscardHandler)}).Run(ctx, l)
	}()
	stopped := false
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		stopped = true
	}
	t.Cleanup(func() {
		if !stopped {
			stop()
		}
		os.RemoveAll(data)
	})
	return data, stop
}

func dial(t *testing.T, data string) *Client {
	t.Helper()
	c, err := NewClient(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestCommandsReachTheServer(t *testing.T) {
	s := &scene{}
	data, _ := serve(t, s)
	c, ctx := dial(t, data), t.Context()
	status, err := c.Status(ctx)
	if want := (Fault{"events", 3, processing.TailLost, "its tail was lost", "decide"}); err != nil || !slices.Equal(status.Faults, []Fault{want}) || status.Version != "v" {
		t.Errorf("status %+v, %v", status, err)
	}
	if m, err := c.Backup(ctx, "/to"); err != nil || m.Head != 12 {
		t.Errorf("backup %+v, %v", m, err)
	}
	if _, err := c.Backup(ctx, "/full"); !errors.Is(err, store.ErrNotEmpty) || err.Error() != "backup: directory is not empty: /full" {
		t.Errorf("a backup over something: %v", err)
	}
	if _, err := c.Backup(ctx, ""); err == nil || err.Error() != "backup: to: a directory is needed" {
		t.Errorf("a backup to nowhere: %v", err)
	}
	three, four := event.PartitionID(3), event.PartitionID(4)
	for _, only := range []*event.PartitionID{nil, &three} {
		if said, err := c.Resume(ctx, "events", only); err != nil || !slices.Equal(said, []string{"events/3 goes on at offset 9 without the offsets 7 to 8"}) {
			t.Errorf("resume said %v, %v", said, err)
		}
	}
	if _, err := c.Resume(ctx, "events", &four); !errors.Is(err, processing.ErrNotFaulted) || err.Error() != "nothing to decide: events/4 is read" {
		t.Errorf("nothing to decide: %v", err)
	}
	if r, err := c.StartRebuild(ctx); err != nil || r.State != RebuildRunning || r.Total != 10 {
		t.Errorf("rebuild %+v, %v", r, err)
	}
	if _, err := c.StartRebuild(ctx); !errors.Is(err, ErrBusy) {
		t.Errorf("a second rebuild: %v", err)
	}
	if r, err := c.Rebuild(ctx); err != nil || r.Records != 5 {
		t.Errorf("rebuild %+v, %v", r, err)
	}
}

func TestRequestsThatCannotBeRead(t *testing.T) {
	data, _ := serve(t, &scene{})
	c := dial(t, data)
	for _, body := range []string{"", "{", `{"topic": 3}`, `{"topic": "events", "force": true}`, `{"topic": "` + strings.Repeat("x", 70_000) + `"}`} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://admin/resume", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%.30q is answered with %s", body, resp.Status)
		}
	}
}

// What is under way when the server stops is given up, and has ended when Run returns.
func TestStopEndsWhatIsUnderWay(t *testing.T) {
	s := &scene{slow: make(chan struct{})}
	data, stop := serve(t, s)
	c := dial(t, data)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Backup(t.Context(), "/to")
		failed <- err
	}()
	<-s.slow
	stop()
	if err := <-failed; err == nil {
		t.Error("the backup came to its end")
	}
}

func TestSocket(t *testing.T) {
	data, stop := serve(t, &scene{})
	path := filepath.Join(data, SocketName)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", info, err)
	}
	stop()
	if _, err := dial(t, data).Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a server: %v", err)
	}
	// A server that is killed leaves its socket.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := dial(t, data).Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a socket that nobody answers at: %v", err)
	}
	again, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if err := os.WriteFile(path, []byte("Dear reader"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(data); err == nil || !strings.Contains(err.Error(), "is something else") {
		t.Errorf("a file in the way: %v", err)
	}
	long := filepath.Join(data, strings.Repeat("long", 30))
	if _, err := Listen(long); !errors.Is(err, ErrPathTooLong) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a long path: %v", err)
	}
	if _, err := NewClient(long); !errors.Is(err, ErrPathTooLong) {
		t.Errorf("a long path: %v", err)
	}
}
