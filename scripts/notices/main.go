package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run(w io.Writer) error {
	modules, err := builtIn()
	if err != nil {
		return err
	}
	fmt.Fprint(w, "Tidemark is licensed under the Apache License 2.0. It contains the software below, under these licences.\n")
	for _, m := range modules {
		texts, err := licences(m.dir)
		if err != nil {
			return err
		}
		if len(texts) == 0 {
			return fmt.Errorf("%s %s has no licence file in %s", m.name, m.version, m.dir)
		}
		fmt.Fprintf(w, "\n%s\n%s %s\n%s\n", strings.Repeat("=", 100), m.name, m.version, strings.Repeat("=", 100))
		for _, text := range texts {
			fmt.Fprintf(w, "\n%s\n", bytes.TrimSpace(text))
		}
	}
	return vendored(w)
}

type module struct{ name, version, dir string }

// systems are those that binaries are built for: what is imported differs.
var systems = []string{"linux", "darwin", "windows"}

// builtIn lists the modules whose packages are linked in, the standard library first.
func builtIn() ([]module, error) {
	found := map[string]module{}
	for _, system := range systems {
		cmd := exec.Command("go", "list", "-deps", "-json=Module,Standard", ".")
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("list the dependencies for %s: %w", system, err)
		}
		for dec := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct {
				Module *struct {
					Path, Version, Dir string
					Main               bool
				}
			}
			if err := dec.Decode(&p); err == io.EOF {
				break
			} else if err != nil {
				return nil, err
			}
			if m := p.Module; m != nil && !m.Main {
				found[m.Path] = module{m.Path, m.Version, m.Dir}
			}
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	var modules []module
	for _, m := range found {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.name, b.name) })
	return append([]module{{"The Go standard library", "", strings.TrimSpace(string(root))}}, modules...), nil
}

var licenceName = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice)([-.].*)?$`)

// licences returns the texts of the licence files of a module.
func licences(dir string) ([][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts [][]byte
	for _, e := range entries {
		if e.IsDir() || !licenceName.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	}
	return texts, nil
}

// vendored prints what web/static/vendor/vendor.json says, with the licence texts beside it.
func vendored(w io.Writer) error {
	dir := filepath.Join("web", "static", "vendor")
	content, err := os.ReadFile(filepath.Join(dir, "vendor.json"))
	if err != nil {
		return err
	}
	var list struct {
		Modules []struct{ Name, Version, Licence, LicenceFile string }
	}
	if err := json.Unmarshal(content, &list); err != nil {
		return fmt.Errorf("vendor.json: %w", err)
	}
	for _, m := range list.Modules {
		text, err := os.ReadFile(filepath.Join("web", "licences", m.LicenceFile))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n%s\n%s %s (browser module, %s)\n%s\n\n%s\n", strings.Repeat("=", 100), m.Name, m.Version, m.Licence, strings.Repeat("=", 100), bytes.TrimSpace(text))
	}
	return nil
}
