package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const root = "../.."

// Two copies of the tree, in folders of other names and depths, make the same bytes.
func TestAReleaseIsTheSameWhereverItIsBuilt(t *testing.T) {
	if os.Getenv("TIDEMARK_PACKAGING") == "" {
		t.Skip("set TIDEMARK_PACKAGING=1 to build releases")
	}
	var sums []string
	for _, place := range []string{"one", "another/place"} {
		tree := filepath.Join(t.TempDir(), filepath.FromSlash(place))
		copyTree(t, tree)
		cmd := exec.Command("go", "run", "./scripts/release", "-version", "v1.2.3", "-only", "linux/amd64")
		cmd.Dir = tree
		cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		made, err := os.ReadFile(filepath.Join(tree, "bin", "release", "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(made))
		if len(sums) == 1 {
			checkRelease(t, filepath.Join(tree, "bin", "release"))
		}
	}
	if sums[0] != sums[1] || strings.Count(sums[0], "\n") != 2 {
		t.Errorf("the sums differ:\n%s\n%s", sums[0], sums[1])
	}
}

// copyTree copies what git knows, as it stands.
func copyTree(t *testing.T, to string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// checkRelease unpacks the archive, runs the program, and validates the bill.
func checkRelease(t *testing.T, dir string) {
	t.Helper()
	const name = "tidemark_v1.2.3_linux_amd64"
	work := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", filepath.Join(dir, name+".tar.gz"), "-C", work).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(filepath.Join(work, name, "tidemark"), "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "tidemark v1.2.3 go1.") {
		t.Errorf("it says it is %q: %v", out, err)
	}
	for _, file := range []string{"LICENSE", "THIRD_PARTY_NOTICES", "tidemark.service"} {
		if _, err := os.Stat(filepath.Join(work, name, file)); err != nil {
			t.Error(err)
		}
	}
	check := exec.Command("go", "-C", filepath.Join(root, "tools", "packaging"), "run", ".", "sbom-check", filepath.Join(dir, name+".cdx.json"))
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("the bill of materials: %v\n%s", err, out)
	}
	sums := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	sums.Dir = dir
	if out, err := sums.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestArchivesHoldWhatTheyAreGiven(t *testing.T) {
	at := time.Unix(1_700_000_000, 0).UTC()
	entries := []entry{{"t/tidemark", 0o755, []byte("program")}, {"t/LICENSE", 0o644, []byte("text")}}
	var tarred, zipped bytes.Buffer
	if err := packTar(&tarred, at, entries); err != nil {
		t.Fatal(err)
	}
	if err := packZip(&zipped, at, entries); err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(&tarred)
	if err != nil {
		t.Fatal(err)
	}
	unpacked := tar.NewReader(plain)
	files, err := zip.NewReader(bytes.NewReader(zipped.Bytes()), int64(zipped.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		header, err := unpacked.Next()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(unpacked)
		if err != nil || header.Name != e.name || header.Mode != e.mode || !header.ModTime.Equal(at) || !bytes.Equal(content, e.content) {
			t.Errorf("tar: %+v %q, %v", header, content, err)
		}
		file := files.File[i]
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err = io.ReadAll(r)
		if err != nil || file.Name != e.name || int64(file.Mode().Perm()) != e.mode || !file.Modified.Equal(at) || !bytes.Equal(content, e.content) {
			t.Errorf("zip: %+v %q, %v", file.FileHeader, content, err)
		}
	}
}

func TestWrongUseSaysSo(t *testing.T) {
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	for _, c := range []struct {
		r    release
		only string
		says string
	}{
		{release{version: "v1 -X main.other=1", into: t.TempDir()}, "", "is no version"},
		{release{version: "v1", into: t.TempDir()}, "plan9/amd64", "is none of"},
		{release{version: "v1", into: foreign}, "linux/amd64", "letter.txt"},
	} {
		if err := c.r.run(c.only); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.r, err, c.says)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	r := release{version: "v1", into: t.TempDir()}
	if err := r.run("linux/amd64"); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("a time that is none: %v", err)
	}
}
