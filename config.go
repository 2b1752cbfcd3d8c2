package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile resolves flags from the YAML file given with --config: flat, its keys are the names of flags.
type configFile struct {
	env     func(string) (string, bool)
	values  map[string]string
	refused map[string]bool // flags that the file says something wrong about
}

// configFaults is everything that is wrong with what the file says, each fault with its place.
type configFaults []error

func (f configFaults) Error() string { return errors.Join(f...).Error() }

// read loads the file that the arguments or the environment name, and reports everything that is wrong with it.
func (c *configFile) read(parser *kong.Kong, args []string) error {
	path := c.path(args)
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return usageError{fmt.Errorf("read the config file: %w", err)}
	}
	var document, second yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(content))
	switch err := documents.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil // an empty file
	case err != nil:
		return usageError{fmt.Errorf("%s: %w", path, err)}
	case len(document.Content) == 0:
		return nil
	}
	if err := documents.Decode(&second); !errors.Is(err, io.EOF) {
		return usageError{fmt.Errorf("%s: a configuration file is one YAML document", path)}
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return configFaults{fmt.Errorf("%s:%d:%d: want flags as 'name: value'", path, root.Line, root.Column)}
	}
	return c.take(path, root, flagsByName(parser))
}

func (c *configFile) take(path string, root *yaml.Node, known map[string]*kong.Flag) error {
	c.values, c.refused = make(map[string]string), make(map[string]bool)
	var faults configFaults
	fault := func(at *yaml.Node, key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s:%d:%d: %s: %s", path, at.Line, at.Column, key, fmt.Sprintf(format, args...)))
		c.refused[key] = true
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		_, twice := c.values[key.Value]
		switch {
		case known[key.Value] == nil:
			fault(key, key.Value, "no command has a flag of this name")
		case twice:
			fault(key, key.Value, "stands here twice")
		case value.Kind == yaml.ScalarNode:
			c.values[key.Value] = value.Value
			if err := refusal(known[key.Value], value.Value); err != nil {
				fault(value, key.Value, "%v", err)
			}
		case value.Kind == yaml.SequenceNode:
			var items []string
			for _, item := range value.Content {
				if item.Kind != yaml.ScalarNode {
					fault(item, key.Value, "want a plain value")
				}
				items = append(items, item.Value)
			}
			c.values[key.Value] = strings.Join(items, ",")
			if err := refusal(known[key.Value], c.values[key.Value]); err != nil {
				fault(value, key.Value, "%v", err)
			}
		default:
			fault(value, key.Value, "want a value or a list of values")
		}
	}
	for name := range c.refused {
		delete(c.values, name)
	}
	if faults != nil {
		return faults
	}
	return nil
}

// refusal is why a flag would not take a value. It is asked here, as later nobody knows the place in the file.
func refusal(flag *kong.Flag, value string) error {
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: value})
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, reflect.New(flag.Target.Type()).Elem()); err != nil {
		return err
	}
	return notOneOf(flag, value)
}

func notOneOf(flag *kong.Flag, value string) error {
	if options := flag.EnumSlice(); flag.Enum != "" && !slices.Contains(options, value) {
		return fmt.Errorf("%q is not one of %s", value, strings.Join(options, ", "))
	}
	return nil
}

// path finds --config before the command line is parsed, as its content takes part in that.
func (c *configFile) path(args []string) string {
	for i, a := range args {
		if a == "--" {
			break
		}
		if a == "--config" && i+1 < len(args) {
			return args[i+1]
		}
		if rest, ok := strings.CutPrefix(a, "--config="); ok {
			return rest
		}
	}
	path, _ := c.env("TIDEMARK_CONFIG")
	return path
}

// flagsByName are the flags of all commands. Those that share a name take the same values.
func flagsByName(parser *kong.Kong) map[string]*kong.Flag {
	flags := make(map[string]*kong.Flag)
	_ = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && f.Name != "help" && f.Name != "config" {
			flags[f.Name] = f
		}
		return next(nil)
	})
	return flags
}

// Validate implements kong.Resolver.
func (c *configFile) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. The environment goes before the file.
func (c *configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := c.env(name); ok {
			return nil, nil
		}
	}
	if v, ok := c.values[flag.Name]; ok {
		return v, nil
	}
	return nil, nil
}
