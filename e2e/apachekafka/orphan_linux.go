package apachekafka

import (
	"os/exec"
	"syscall"
)

// endWithParent ends the process even if the test is killed.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
