//go:build unix

package bench

import (
	"syscall"
	"time"
)

// CPUTime is what the process has used so far, on all cores. Benchmarks report it beside the wall clock, because it is
// what remains comparable on a machine that does other things as well.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("BUG: getrusage: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
