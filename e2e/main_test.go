package e2e

import (
	"os"
	"runtime/debug"
	"testing"
)

// Stores in memory that die ten thousand times leave much garbage in a small heap. Servers that tests start are not concerned.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
