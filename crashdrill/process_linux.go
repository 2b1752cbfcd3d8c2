package crashdrill

import (
	"os/exec"
	"syscall"
)

// ownProcess keeps the terminal's signals from a process that is for us to end, and has it end with us even if we are killed.
func ownProcess(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
