package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// targets are the systems that are released for.
var targets = []target{
	{"darwin", "amd64"}, {"darwin", "arm64"}, {"linux", "amd64"}, {"linux", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
}

type target struct{ system, processor string }

func (t target) String() string { return t.system + "/" + t.processor }

// release is one run.
type release struct {
	version string
	into    string
	at      time.Time // of everything in archives
}

func main() {
	var r release
	flag.StringVar(&r.version, "version", "", "the version; default what git describes")
	flag.StringVar(&r.into, "into", "bin/release", "the folder for what is made; it is emptied first")
	only := flag.String("only", "", "build for one system: linux/amd64")
	flag.Parse()
	if err := r.run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]*$`)

func (r *release) run(only string) (err error) {
	if r.version == "" {
		if r.version, err = output("git", "describe", "--tags", "--always", "--dirty"); err != nil {
			return fmt.Errorf("no -version is given, and git knows none: %w", err)
		}
	}
	if !versionForm.MatchString(r.version) {
		return fmt.Errorf("-version: %q is no version", r.version)
	}
	if r.at, err = moment(); err != nil {
		return err
	}
	chosen := targets
	if only != "" {
		i := slices.IndexFunc(targets, func(t target) bool { return t.String() == only })
		if i < 0 {
			return fmt.Errorf("-only: %q is none of %v", only, targets)
		}
		chosen = targets[i : i+1]
	}
	if err := empty(r.into); err != nil {
		return err
	}
	var sums []string
	for _, t := range chosen {
		files, err := r.build(t)
		if err != nil {
			return fmt.Errorf("%v: %w", t, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			sums = append(sums, fmt.Sprintf("%x  %s\n", sha256.Sum256(content), filepath.Base(file)))
			fmt.Fprintf(os.Stdout, "%s %.1f MiB\n", file, float64(len(content))/(1<<20))
		}
	}
	return os.WriteFile(filepath.Join(r.into, "SHA256SUMS"), []byte(strings.Join(sums, "")), 0o644)
}

// build makes the archive and the bill of one system.
func (r *release) build(t target) (files []string, err error) {
	work, err := os.MkdirTemp("", "tidemark-release")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	binary := filepath.Join(work, "tidemark")
	if t.system == "windows" {
		binary += ".exe"
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -buildid= -X main.released="+r.version, "-o", binary, ".")
	cmd.Env = append(os.Environ(), "GOOS="+t.system, "GOARCH="+t.processor, "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("tidemark_%s_%s_%s", r.version, t.system, t.processor)
	bill, err := r.bill(binary)
	if err != nil {
		return nil, fmt.Errorf("bill of materials: %w", err)
	}
	billFile := filepath.Join(r.into, name+".cdx.json")
	if err := os.WriteFile(billFile, bill, 0o644); err != nil {
		return nil, err
	}
	archive := filepath.Join(r.into, name+".tar.gz")
	pack := packTar
	if t.system == "windows" {
		archive, pack = filepath.Join(r.into, name+".zip"), packZip
	}
	if err := packInto(archive, pack, name, r.at, contents(t, binary)); err != nil {
		return nil, err
	}
	return []string{archive, billFile}, nil
}

// contents is what an archive holds beside the program.
func contents(t target, binary string) []string {
	files := []string{binary, "LICENSE", "THIRD_PARTY_NOTICES", "README.md", "CHANGELOG.md"}
	if t.system == "linux" {
		files = append(files, "deploy/tidemark.service")
	}
	return files
}

func (r *release) bill(binary string) ([]byte, error) {
	vendor, err := filepath.Abs(filepath.Join("web", "static", "vendor", "vendor.json"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "-C", filepath.Join("tools", "packaging"), "run", ".", "sbom", binary, vendor, r.version)
	cmd.Stderr = os.Stderr
	return cmd.Output()
}

// moment is the time of everything in archives.
func moment() (time.Time, error) {
	seconds, given := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !given {
		var err error
		if seconds, err = output("git", "log", "-1", "--format=%ct"); err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is not set, and git knows no commit: %w", err)
		}
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(n, 0).UTC(), nil
}

func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out)), err
}

// empty makes a folder, and removes what an earlier run has left there. Other files are not ours to remove.
func empty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "tidemark_") && e.Name() != "SHA256SUMS" {
			return fmt.Errorf("-into: %s holds %s, which is not of a release", dir, e.Name())
		}
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
