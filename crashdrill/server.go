package crashdrill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/tidemark/tidemark/server"
	"github.com/tidemark/tidemark/server/client"
)

// moment is when a server is killed.
type moment string

const (
	whileStarting   moment = "while it started      "
	whileCatchingUp moment = "while it caught up    "
	whilePublishing moment = "while it published    "
	whileStopping   moment = "while it stopped      "
	whenever        moment = "out of the blue       "
)

var moments = []moment{whileStarting, whileCatchingUp, whilePublishing, whileStopping, whenever}

// drilled is a server of a crash drill, a process of this same program. It is always on the same directory and address.
type drilled struct {
	name    string
	address string
	args    []string
	log     string
	client  *client.Client

	process *exec.Cmd // nil: it doesn't run
	started time.Time
	ended   chan struct{} // closed when the process has ended; its state can be read then
}

// newDrilled makes a server with output topics that end with a suffix.
func newDrilled(dir, name, address, suffix string, args []string) *drilled {
	topics := outputs(suffix)
	s := &drilled{name: name, address: address, log: filepath.Join(dir, name+".log"), client: client.New(address)}
	s.args = append([]string{
		"serve", "--listen", address, "--data", filepath.Join(dir, name),
		"--metrics-topic", topics[0], "--alerts-topic", topics[1], "--dead-letter-topic", topics[2],
	}, args...)
	return s
}

// free is an address that is free now: the one that is wanted or, if that is busy and another port will do, one with a free port.
func free(wanted string, another bool) (string, error) {
	l, err := server.Listen(wanted)
	if another && errors.Is(err, server.ErrAddrInUse) {
		l, err = server.Listen(server.AnyPort(wanted))
	}
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// start starts the process. It ends with this one, however that ends, where the system can do that.
func (s *drilled) start() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, s.args...)
	cmd.Stdout, cmd.Stderr = log, log
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TIDEMARK_") { // our own settings are not the server's
			cmd.Env = append(cmd.Env, v)
		}
	}
	ownProcess(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the %s server: %w", s.name, err)
	}
	s.process, s.started, s.ended = cmd, time.Now(), make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in its state
	}(s.ended)
	return nil
}

// readyLimit is far beyond what a start takes: the machine may have other things to do.
const readyLimit = time.Minute

// ready waits until the server answers, and returns how long after its start that was.
func (s *drilled) ready(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.client.Ready(ctx)
		if err == nil {
			return time.Since(s.started), nil
		}
		select {
		case <-tick.C:
		case <-s.ended:
			if !s.lostAddress() {
				return 0, s.ownEnd()
			}
			if err := s.start(); err != nil {
				return 0, err
			}
		case <-ctx.Done():
			return 0, fmt.Errorf("the %s server is not ready: %w%s", s.name, err, s.lastWords())
		}
	}
}

// exitUsage is how the program ends if its address is taken.
const exitUsage = 2

// lostAddress reports whether the process ended because something else had taken its address while it was dead, if only as the
// near end of a connection. That passes.
func (s *drilled) lostAddress() bool {
	return s.process.ProcessState.ExitCode() == exitUsage && strings.HasSuffix(s.lastWords(), server.ErrAddrInUse.Error())
}

// ownEnd tells of a process that ended by itself.
func (s *drilled) ownEnd() error {
	return fmt.Errorf("the %s server has ended by itself: %s%s", s.name, s.process.ProcessState, s.lastWords())
}

// lastWords is the end of the log.
func (s *drilled) lastWords() string {
	content, err := os.ReadFile(s.log)
	if err != nil {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	return "\n" + string(bytes.Join(lines[max(0, len(lines)-5):], []byte("\n")))
}

// waitFor waits until it is the moment to kill the server, or ctx ends. A moment that doesn't come is not waited for: any is as good.
func (s *drilled) waitFor(ctx context.Context, m moment) {
	switch m {
	case whileStarting:
		linger(ctx, 150*time.Millisecond)
	case whileCatchingUp:
		s.see(ctx, func(records, _ int64) bool { return records > 0 })
	case whilePublishing:
		s.see(ctx, func(_, entries int64) bool { return entries > 0 })
		linger(ctx, 10*time.Millisecond)
	case whileStopping:
		linger(ctx, time.Second)
		if runtime.GOOS != "windows" { // which has no such signal
			_ = s.process.Process.Signal(os.Interrupt) // an error says that it has ended, which kill will find
		}
		linger(ctx, 60*time.Millisecond)
	case whenever:
		linger(ctx, 3*time.Second)
	}
}

// see waits until as much is waiting, for a second at most.
func (s *drilled) see(ctx context.Context, so func(records, entries int64) bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if p, err := s.client.Pipeline(ctx); err == nil && so(p.Lag()) {
			return
		}
	}
}

// linger lets some random time pass, up to a limit.
func linger(ctx context.Context, limit time.Duration) {
	select {
	case <-time.After(rand.N(limit)):
	case <-ctx.Done():
	}
}

// kill ends the process as a power cut would. It may have ended by then, but only in good order.
func (s *drilled) kill() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the %s server: %w", s.name, err)
	}
	<-s.ended
	if state := s.process.ProcessState; state.Exited() && !state.Success() && !s.lostAddress() && runtime.GOOS != "windows" {
		return s.ownEnd()
	}
	s.process = nil
	return nil
}

// end ends the process if it still runs, at the end of everything.
func (s *drilled) end() {
	if s.process != nil {
		_ = s.process.Process.Kill() // an error says that it has ended
		<-s.ended
	}
}
