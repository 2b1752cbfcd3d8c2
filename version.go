package main

import (
	_ "embed" // for the notices
	"fmt"
	"runtime"
	"runtime/debug"
)

//go:embed THIRD_PARTY_NOTICES
var notices string

type versionCommand struct {
	Licences bool `help:"Print the licences of everything that is built in."`
}

// Run prints the version, or the licences.
func (c *versionCommand) Run(std *streams) error {
	if c.Licences {
		fmt.Fprint(std.out, notices)
		return nil
	}
	fmt.Fprintf(std.out, "tidemark %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// released is the version of a release. The linker sets it, see scripts/release.
var released string

// version is what this was released as, or the module's version, or the commit that it was built from.
func version() string {
	if released != "" {
		return released
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value[:min(12, len(s.Value))]
		}
	}
	if v == "" || v == "(devel)" {
		return "0.1.0-dev"
	}
	return v
}
