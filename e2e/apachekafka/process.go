package apachekafka

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

// process is a Java process.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
	err   error         // of its end; readable once ended is closed
}

// startProcess starts a process whose output goes to a file that is emptied before.
func startProcess(cmd *exec.Cmd, log string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		if p.err == nil {
			p.err = errors.New("exit status 0")
		}
		close(p.ended)
	}()
	return p, nil
}

// stopLimit is how long a broker may take to end in good order.
const stopLimit = 15 * time.Second

// interrupt asks a broker to end. One that takes too long is killed, as whoever runs it would do.
func (p *process) interrupt() (killed bool, err error) {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return false, err
	}
	select {
	case <-p.ended:
		return false, nil
	case <-time.After(stopLimit):
		p.kill()
		return true, nil
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.ended
}
