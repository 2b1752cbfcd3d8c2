package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/schemas"
)

// definitionFlags say which definitions are in force.
type definitionFlags struct {
	Definitions string `placeholder:"FILE" help:"YAML file with definitions that extend the built-in ones. Without it: the built-in ones."`
}

// load reads and compiles the definitions.
func (f *definitionFlags) load() (*definition.Plan, error) {
	var content []byte
	if f.Definitions != "" {
		var err error
		if content, err = os.ReadFile(f.Definitions); err != nil {
			return nil, usageError{fmt.Errorf("read the definitions: %w", err)}
		}
		if content == nil {
			content = []byte{}
		}
	}
	plan, err := definition.Load(f.Definitions, content, schemas.Events)
	var faults definition.Faults
	if err != nil && !errors.As(err, &faults) {
		return nil, fmt.Errorf("load the definitions: %w", err)
	}
	return plan, err
}

type checkCommand struct {
	definitionFlags
}

func (c *checkCommand) check(*streams) error {
	_, err := c.load()
	return err
}

// Run prints the plan, or everything that is wrong.
func (c *checkCommand) Run(std *streams) error {
	plan, err := c.load()
	if err != nil {
		return err
	}
	return definition.Describe(std.out, plan)
}
