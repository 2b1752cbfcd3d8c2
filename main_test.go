package main

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tidemark/tidemark/store"
)

// TestMain lets scripts run this test's binary as the program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tidemark": main})
}

// TestScripts runs testdata/script. Beside testscript's own, a script has the commands
//
//	occupy NAME     listens on a free port of the loopback interface until the script ends; $NAME is its address
//	hold DIR        has the store in DIR open until the script ends
//	store DIR       makes a store in DIR
//	fails CODE ...  runs the program, which must end with this exit code
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Deadline:      time.Now().Add(time.Minute),
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			for _, v := range os.Environ() {
				if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "TIDEMARK_") {
					e.Setenv(name, "") // what the developer has set is not part of the test
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"occupy": occupy, "hold": hold, "store": makeStore, "fails": fails},
	})
}

func occupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ts.Check(l.Close()) })
	ts.Setenv(args[0], l.Addr().String())
}

func hold(ts *testscript.TestScript, _ bool, args []string) {
	options := store.Default()
	options.Logger = slog.New(slog.DiscardHandler)
	s, err := store.Open(ts.MkAbs(filepath.FromSlash(args[0])), options)
	ts.Check(err)
	ts.Defer(func() { ts.Check(s.Close()) })
}

func makeStore(ts *testscript.TestScript, _ bool, args []string) {
	options := store.Default()
	options.Logger = slog.New(slog.DiscardHandler)
	s, err := store.Open(ts.MkAbs(filepath.FromSlash(args[0])), options)
	ts.Check(err)
	ts.Check(s.Close())
}

func fails(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("tidemark", args[1:]...)
	if err == nil {
		ts.Fatalf("tidemark %s did not fail", strings.Join(args[1:], " "))
	}
	if want := "exit status " + args[0]; err.Error() != want {
		ts.Fatalf("tidemark %s: %v, want %s", strings.Join(args[1:], " "), err, want)
	}
}
