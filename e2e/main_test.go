package e2e

import (
	"log"
	"os"
	"runtime/debug"
	"testing"
)

// Stores in memory that die ten thousand times leave much garbage in a small heap. Servers that tests start are not concerned.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	code := m.Run()
	if builtIn != "" {
		if err := os.RemoveAll(builtIn); err != nil {
			log.Print(err)
			code = 1
		}
	}
	os.Exit(code)
}
