package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestCommandsInTheDocsAreHeld finds every command that a reader is told to type: in blocks of shell, in the middle of a sentence,
// at the top of the files of deploy/. Those of blocks are run as well, by TestCommandsInTheDocsWork of e2e, where what they start can
// be had. Here each is held to what it calls: our flags, targets, packages and files. One that nothing would hold is a fault, and so
// is one that stands where neither test would find it.
func TestCommandsInTheDocsAreHeld(t *testing.T) {
	held := 0
	for _, page := range docFiles(t, ".md") {
		for _, c := range commandsOf(t, page, readText(t, page)) {
			t.Run(page, func(t *testing.T) { c.hold(t) })
			held++
		}
	}
	for _, file := range append(docFiles(t, ".yaml", ".service"), "Dockerfile") {
		if !strings.HasPrefix(file, "deploy") && file != "Dockerfile" {
			continue
		}
		for _, c := range splitCommands(commented(readText(t, file))) {
			t.Run(file, func(t *testing.T) { docCommand{text: c}.hold(t) })
			held++
		}
	}
	if held < 150 {
		t.Errorf("only %d commands were found", held)
	}
}

// docFiles are the files of the docs, and of what is offered to those who run it.
func docFiles(t *testing.T, endings ...string) []string {
	t.Helper()
	files, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"docs", "deploy"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			files = append(files, path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return slices.DeleteFunc(files, func(f string) bool { return !slices.Contains(endings, filepath.Ext(f)) })
}

// docCommand is a line that is typed.
type docCommand struct {
	text    string
	mention bool // it stands in a sentence: what it needs may be left out
}

var (
	anyFence  = regexp.MustCompile("(?ms)^([ \t]*)```([^\n]*)\n(.*?)^[ \t]*```$")
	inline    = regexp.MustCompile("`([^`\n]+)`")
	shComment = regexp.MustCompile(`(^|\s+)# .*$`)
	// begins is how a line begins that looks like a command.
	begins = regexp.MustCompile(`^\s*(?:(?:[A-Z_]+=\S* )*(?:bin/tidemark|tidemark|go|make|curl|kcat|docker|kubectl|systemctl|journalctl|promtool|openssl|websocat|scripts/\w+|git|kill) [-\w./$]|scripts/\w+$)`)
)

// commandsOf finds the commands of a page.
func commandsOf(t *testing.T, page, text string) (commands []docCommand) {
	t.Helper()
	isRun := page == "README.md" || page == filepath.Join("docs", "runbook.md") || slices.Contains([]string{"guide", "reference"}, filepath.Base(filepath.Dir(page)))
	for _, m := range anyFence.FindAllStringSubmatch(text, -1) {
		indent, language, block := m[1], m[2], m[3]
		if language == "sh" {
			if indent != "" || !isRun {
				t.Errorf("%s: no test runs this block: it wants to begin at the margin, of a page that is run:\n%s", page, block)
			}
			for _, c := range splitCommands(block) {
				commands = append(commands, docCommand{text: c})
			}
			continue
		}
		for line := range strings.Lines(block) {
			if language == "" && begins.MatchString(line) {
				t.Errorf("%s: no test runs what is not in a block of sh: %s", page, line)
			}
		}
	}
	text = anyFence.ReplaceAllString(text, "")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "    ") && begins.MatchString(line) {
			t.Errorf("%s: no test runs what is not in a block of sh: %s", page, line)
		}
	}
	for _, m := range inline.FindAllStringSubmatch(text, -1) {
		if begins.MatchString(m[1]) {
			commands = append(commands, docCommand{text: m[1], mention: true})
		}
	}
	return commands
}

// commented are the commands that stand in comments: behind three spaces, so that sentences are none.
func commented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "#   "); ok {
			b.WriteString(command)
		}
	}
	return b.String()
}

// splitCommands puts together what stands on several lines.
func splitCommands(block string) (commands []string) {
	open := ""
	for line := range strings.Lines(block) {
		open += shComment.ReplaceAllString(strings.TrimRight(line, "\n"), "")
		if rest, ok := strings.CutSuffix(open, `\`); ok {
			open = rest
		} else if !strings.HasSuffix(open, "|") && open != "" {
			commands, open = append(commands, open), ""
		}
	}
	return commands
}

// inQuotes is what the shell takes for one word, with the substitutions in it.
var inQuotes = regexp.MustCompile(`'[^']*'|"(?:\$\([^)]*\)|[^"])*"|\$\([^)]*\)`)

// hold looks at each command of a line.
func (c docCommand) hold(t *testing.T) {
	t.Helper()
	plain := inQuotes.ReplaceAllStringFunc(c.text, func(s string) string {
		return strings.NewReplacer(" ", "_", "|", "_", ">", "_", "&", "_", "'", "", `"`, "").Replace(s)
	})
	for _, part := range regexp.MustCompile(`&&|\|`).Split(plain, -1) {
		words := strings.Fields(regexp.MustCompile(`[<>] *\S+`).ReplaceAllString(part, ""))
		for len(words) > 0 && regexp.MustCompile(`^[A-Z_]+=`).MatchString(words[0]) {
			words = words[1:]
		}
		if len(words) > 2 && words[0] == "sudo" && words[1] == "-u" {
			words = words[3:]
		}
		if len(words) == 0 {
			continue
		}
		if err := c.look(t, words); err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// foreign are the programs of others whose commands may stand in the docs. What they are given has to be there.
var foreign = []string{
	"cd", "chmod", "curl", "docker", "echo", "export", "git", "install", "journalctl", "kcat", "kill", "kubectl", "ls", "openssl", "promtool", "sha256sum", "systemctl",
	"useradd", "websocat",
}

func (c docCommand) look(t *testing.T, words []string) error {
	t.Helper()
	program, args := words[0], words[1:]
	switch {
	case program == "tidemark" || program == "bin/tidemark":
		return c.lookAtFlags(t, args)
	case program == "go" && len(args) > 1 && args[0] == "run" && args[1] == ".":
		return c.lookAtFlags(t, args[2:])
	case program == "go":
		for _, a := range args[1:] {
			if strings.HasPrefix(a, "./") && a != "./PACKAGE" && a != "./..." {
				if _, err := os.Stat(a); err != nil {
					return err
				}
			}
		}
		return nil
	case program == "make":
		makefile := readText(t, "Makefile")
		for _, a := range args {
			if !strings.Contains(a, "=") && !strings.Contains(makefile, "\n"+a+":") {
				return errors.New("make has no target " + a)
			}
		}
		return nil
	case strings.HasPrefix(program, "scripts/"):
		_, err := os.Stat(program)
		return err
	case !slices.Contains(foreign, program):
		return errors.New("no test knows what " + program + " is: teach this one")
	}
	if i := slices.Index(args, "tidemark"); program == "docker" && args[0] == "run" && i > 0 { // the image's entry is tidemark serve
		return c.lookAtFlags(t, append([]string{"serve"}, args[i+1:]...))
	}
	for _, a := range args {
		made := a == "deploy/token" // by the command itself
		if strings.HasPrefix(a, "deploy/") && !made {
			if _, err := os.Stat(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookAtFlags asks the parser of our own command line.
func (c docCommand) lookAtFlags(t *testing.T, args []string) error {
	t.Helper()
	if args[0] == "COMMAND" {
		return nil // `tidemark COMMAND --help`
	}
	parser, err := kong.New(&commands{}, kong.DefaultEnvars("TIDEMARK"), kong.Vars{"log_level": "info"}, kong.Exit(func(int) {}), kong.Writers(os.Stderr, os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	u := &usage{parser: parser, std: &streams{env: noEnv}, unknown: make(map[string]bool)}
	traced, args := u.readLine(slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "…" || a == "..." }))
	if c.mention { // `tidemark resume --accept-gap`
		u.faults = slices.DeleteFunc(u.faults, func(err error) bool { return strings.Contains(err.Error(), "missing value") })
	}
	if err := errors.Join(u.faults...); err != nil || c.mention || asksForHelp(traced) {
		return err
	}
	_, err = parser.Parse(args)
	return err
}
