package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tidemark/tidemark/processing/definition"
)

// usageError is wrong usage or configuration: each line of it is one fault.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// lineError is a fault of the command line itself: --help shows how it should look.
type lineError struct{ err error }

func (e lineError) Error() string { return e.err.Error() }
func (e lineError) Unwrap() error { return e.err }

// checker is a command whose flags can contradict each other, or name files that say something wrong.
type checker interface {
	// check reports everything that Run would refuse, before anything is opened or made.
	check(std *streams) error
}

// usage collects everything that is wrong with what the program was told: with arguments, environment and configuration file, and with
// what they say. The parser stops at the first fault, so that it is only given what is right.
type usage struct {
	parser  *kong.Kong
	std     *streams
	faults  []error
	unknown map[string]bool // flags of which nobody knows what they should have said
}

// understand makes of all that a command to run.
func understand(parser *kong.Kong, config *configFile, args []string, std *streams) (*kong.Context, error) {
	u := &usage{parser: parser, std: std, unknown: make(map[string]bool)}
	file := config.read(parser, args)
	traced, args := u.readLine(args)
	if u.faults != nil && (traced.Selected() == nil || asksForHelp(traced)) {
		return nil, errors.Join(u.faults...)
	}
	u.readEnvironment(traced)
	u.faults = append(u.faults, leaves(file)...)
	var said configFaults
	if file != nil && !errors.As(file, &said) { // it may say anything about the flags
		return nil, errors.Join(u.faults...)
	}
	for name := range config.refused {
		u.unknown[name] = true
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		u.follow(lineError{err})
	} else if c, ok := parsed.Selected().Target.Addr().Interface().(checker); ok && u.faults != nil {
		u.follow(c.check(std))
	}
	return parsed, errors.Join(u.faults...)
}

func asksForHelp(traced *kong.Context) bool {
	return slices.ContainsFunc(traced.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == "help" })
}

// readLine returns the arguments that are right, and the command that they name.
func (u *usage) readLine(args []string) (*kong.Context, []string) {
	for {
		traced, err := kong.Trace(u.parser, args)
		if err != nil {
			panic("BUG: the command line: " + err.Error())
		}
		begin, end, err := firstFault(traced, args)
		if err == nil {
			return traced, args
		}
		u.faults = append(u.faults, lineError{err})
		u.doubt(err.Error())
		if traced.Selected() == nil && !strings.HasPrefix(args[begin], "-") {
			return traced, args // what follows belongs to a command that nobody knows
		}
		args = slices.Delete(slices.Clone(args), begin, end)
	}
}

// firstFault finds the arguments from begin to end, exclusively, that are wrong.
func firstFault(traced *kong.Context, args []string) (begin, end int, err error) {
	for _, p := range traced.Path {
		end := len(args) - len(p.Remainder())
		if p.Flag != nil {
			if err := notOneOf(p.Flag, fmt.Sprint(traced.Value(p))); err != nil {
				return begin, end, fmt.Errorf("--%s: %w", p.Flag.Name, err)
			}
		}
		begin = end
	}
	if traced.Error == nil || begin >= len(args) {
		return begin, begin, traced.Error
	}
	end = begin + 1
	if arg := args[begin]; strings.HasPrefix(arg, "-") && !strings.Contains(arg, "=") && end < len(args) && isValue(traced, args[end]) {
		end++
	}
	return begin, end, traced.Error
}

var negative = regexp.MustCompile(`^-[0-9.]`)

// isValue reports whether an argument after a wrong flag was meant as its value: no command has arguments.
func isValue(traced *kong.Context, arg string) bool {
	if strings.HasPrefix(arg, "-") {
		return negative.MatchString(arg)
	}
	return traced.Selected() != nil || !slices.ContainsFunc(traced.Model.Children, func(n *kong.Node) bool { return n.Name == arg })
}

// readEnvironment looks at what variables say that no argument goes before.
func (u *usage) readEnvironment(traced *kong.Context) {
	for _, flag := range traced.Flags() {
		if slices.ContainsFunc(traced.Path, func(p *kong.Path) bool { return p.Flag == flag }) {
			continue
		}
		for _, name := range flag.Envs {
			value, ok := u.std.env(name)
			if !ok {
				continue
			}
			if err := refusal(flag, value); err != nil {
				u.faults = append(u.faults, usageError{fmt.Errorf("%s: %w", name, err)})
				u.unknown[flag.Name] = true
				flag.Envs, flag.Tag.Envs = nil, nil
			}
			break
		}
	}
}

var flagName = regexp.MustCompile(`--([a-z][a-z-]*)`)

// doubt remembers the flags that a fault is about.
func (u *usage) doubt(fault string) {
	for _, m := range flagName.FindAllStringSubmatch(fault, -1) {
		u.unknown[m[1]] = true
	}
}

// follow adds faults, but for those that would be mere consequences: they are about flags that were refused.
func (u *usage) follow(err error) {
	for _, fault := range leaves(err) {
		about := flagName.FindAllStringSubmatch(fault.Error(), -1)
		if !slices.ContainsFunc(about, func(m []string) bool { return u.unknown[m[1]] }) {
			u.faults = append(u.faults, fault)
		}
	}
}

// leaves are the faults that an error is joined of.
func leaves(err error) (all []error) {
	switch e := any(err).(type) { // what an error is itself, not what it wraps
	case nil:
	case interface{ Unwrap() []error }:
		for _, e := range e.Unwrap() {
			all = append(all, leaves(e)...)
		}
	case usageError:
		for _, e := range leaves(e.err) {
			all = append(all, usageError{e})
		}
	default:
		all = []error{err}
	}
	return all
}

// tellUsage says what is wrong, each fault on its own line. Those of files begin with their place.
func tellUsage(std *streams, err error) {
	for _, fault := range leaves(err) {
		var faults definition.Faults
		var config configFaults
		if errors.As(fault, &faults) || errors.As(fault, &config) {
			fmt.Fprintln(std.err, fault.Error())
			continue
		}
		for line := range strings.Lines(fault.Error()) {
			fmt.Fprintf(std.err, "tidemark: %s\n", strings.TrimRight(line, "\n"))
		}
	}
	var line lineError
	if errors.As(err, &line) {
		fmt.Fprintf(std.err, "See 'tidemark --help', or 'tidemark COMMAND --help'.\n")
	}
}
