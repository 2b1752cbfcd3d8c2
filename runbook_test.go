package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTheRunbookHasAPlaceForEverything reads from the code what users are told when something is wrong, and looks it up in
// docs/runbook.md: each verdict, kind of fault, reason of /readyz and exit code has a heading there, and what is found at a fault
// stands under one.
func TestTheRunbookHasAPlaceForEverything(t *testing.T) {
	page := readText(t, "docs/runbook.md")
	sections := make(map[string]string)
	for _, s := range strings.Split(page, "\n## ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[title] = body
	}
	said := readSaid(t, "*.go", "processing/*.go", "server/health.go")
	for _, c := range []struct {
		section string
		words   []string
		least   int // what is there today
	}{
		{"Verdicts", said.verdicts, 15},
		{"Reasons of /readyz", said.reasons, 4},
		{"Exit codes", said.codes, 4},
		{"Faults", said.kinds, 10},
	} {
		if len(c.words) < c.least {
			t.Errorf("%s: only %q were found in the code", c.section, c.words)
		}
		for _, word := range c.words {
			heading := "\n### " + word + "\n"
			if before, open := strings.CutSuffix(word, "…"); open { // what follows is said elsewhere
				heading = "\n### " + before
			}
			if !strings.Contains(sections[c.section], heading) {
				t.Errorf("docs/runbook.md has no heading %q under %q", word, c.section)
			}
		}
	}
	if len(said.details) < 5 {
		t.Errorf("only %q were found of faults", said.details)
	}
	for _, detail := range said.details {
		if !strings.Contains(sections["Faults"], "*"+detail+"*") {
			t.Errorf("docs/runbook.md does not tell of the fault %q", detail)
		}
	}
}

// said is what the code has to say, with `…` for what differs.
type said struct{ verdicts, reasons, codes, kinds, details []string }

// readSaid finds it in the code: verdicts are what functions of a verdict return and what is assigned to one; details of
// faults what is returned by mismatch and given to fault; reasons what is appended to Reasons; kinds and codes are constants.
func readSaid(t *testing.T, patterns ...string) *said {
	t.Helper()
	var s said
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(tree, s.visit)
		}
	}
	return &s
}

// saysVerdict tells the functions whose strings are verdicts. Rules have a judge too.
func saysVerdict(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return f.Name.Name == "heldVerdict"
	}
	star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
	if !ok || f.Name.Name != "judge" {
		return false
	}
	owner, ok := star.X.(*ast.Ident)
	return ok && owner.Name == "loop"
}

func (s *said) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		switch name := n.Name.Name; {
		case saysVerdict(n):
			s.verdicts = append(s.verdicts, cutAll(texts(n.Body))...)
		case name == "mismatch", name == "recreated":
			s.details = append(s.details, texts(n.Body)...)
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "fault" || f.Sel.Name == "refine") && len(n.Args) > 1 {
			s.details = append(s.details, texts(n.Args[len(n.Args)-1])...)
		}
		if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "append" && isField(n.Args[0], "Reasons") {
			s.reasons = append(s.reasons, cutAll(texts(n.Args[1]))...)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if isField(left, "Verdict") && len(n.Rhs) == len(n.Lhs) {
				s.verdicts = append(s.verdicts, cutAll(texts(n.Rhs[i]))...)
			}
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Verdict" {
			s.verdicts = append(s.verdicts, cutAll(texts(n.Value))...)
		}
	case *ast.ValueSpec:
		s.constant(n)
	}
	return true
}

func (s *said) constant(n *ast.ValueSpec) {
	kind, typed := n.Type.(*ast.Ident)
	for i, value := range n.Values {
		switch {
		case typed && kind.Name == "FaultKind":
			s.kinds = append(s.kinds, texts(value)...)
		case strings.HasPrefix(n.Names[i].Name, "exit") && n.Names[i].Name != "exitDone":
			if number, ok := value.(*ast.BasicLit); ok && number.Kind == token.INT {
				s.codes = append(s.codes, "Exit code "+number.Value)
			}
		}
	}
}

func isField(e ast.Expr, name string) bool {
	f, ok := e.(*ast.SelectorExpr)
	return ok && f.Sel.Name == name
}

var verb = regexp.MustCompile(`%[-+#]?[a-z]`)

// texts are the strings in a piece of code that are more than a joint, with `…` for what is put into them.
func texts(n ast.Node) (found []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		if text, err := strconv.Unquote(lit.Value); err == nil && strings.ContainsAny(text, "abcdefghijklmnopqrstuvwxyz") {
			found = append(found, verb.ReplaceAllString(text, "…"))
		}
		return true
	})
	return found
}

// cutAll leaves out where only what differs follows: the reason, a number.
func cutAll(words []string) []string {
	for i, w := range words {
		before, _, _ := strings.Cut(w, ": …")
		words[i] = strings.TrimSuffix(before, ": ")
	}
	return words
}
