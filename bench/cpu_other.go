//go:build !unix

package bench

import "time"

// CPUTime is not known here: the figures that depend on it read zero.
func CPUTime() time.Duration { return 0 }
