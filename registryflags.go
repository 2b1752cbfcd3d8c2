package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/schemas"
)

// registryFlags say which schema registry to ask, and how.
type registryFlags struct {
	SchemaRegistry          []string `placeholder:"URL" help:"Servers of one schema registry. A name and a password may stand in the URLs."`
	SchemaRegistryCAFile    string   `placeholder:"FILE" help:"Certificates (PEM) that may sign the registry's own. Default: those of the system."`
	SchemaRegistryBasicFile string   `placeholder:"FILE" help:"File with NAME:PASSWORD for the registry."`
	SchemaRegistryTokenFile string   `placeholder:"FILE" help:"File with a bearer token for the registry."`
}

// openRegistry returns the registry, or nil if there is none.
func (f *registryFlags) openRegistry() (*kafka.Registry, error) {
	if len(f.SchemaRegistry) == 0 {
		if f.SchemaRegistryCAFile != "" || f.SchemaRegistryBasicFile != "" || f.SchemaRegistryTokenFile != "" {
			return nil, usageError{errors.New("--schema-registry: its address is missing")}
		}
		return nil, nil
	}
	r, err := kafka.NewRegistry(kafka.RegistryOptions{
		URLs: f.SchemaRegistry, CAFile: f.SchemaRegistryCAFile, BasicFile: f.SchemaRegistryBasicFile, TokenFile: f.SchemaRegistryTokenFile,
	})
	if err != nil {
		return nil, usageError{err}
	}
	return r, nil
}

// encodingFlags say how events are encoded.
type encodingFlags struct {
	EventsEncoding string `enum:"auto,avro,avro-single-object,avro-confluent,json" default:"auto" help:"How events are encoded: auto tells by the first byte; or avro (raw binary), avro-single-object, avro-confluent, json."`
}

// writerFlags say which schemas events may have that name them by a fingerprint.
type writerFlags struct {
	WriterSchemas []string `placeholder:"FILE" help:"Avro schemas that events in single-object encoding may have, besides the built-in one."`
}

// writers reads the schemas and reports every fault. Without a plan, which is at fault itself then, they can't be judged.
func (f *writerFlags) writers(events event.Encoding, plan *definition.Plan, logger *slog.Logger) (texts []string, err error) {
	if len(f.WriterSchemas) > 0 && events != event.Auto && events != event.AvroSingleObject {
		err = fmt.Errorf("--writer-schemas: nothing uses them, as events are %s", events)
	}
	if plan != nil {
		var unread error
		texts, unread = readWriterSchemas(f.WriterSchemas, plan, logger)
		err = errors.Join(err, unread)
	}
	if err != nil {
		return nil, usageError{err}
	}
	return texts, nil
}

// framingFlags say how events are encoded, where their schemas are from, and how results are.
type framingFlags struct {
	encodingFlags
	writerFlags
	registryFlags
	OutputEncoding string `enum:"avro,avro-confluent,json" default:"avro" help:"How results are encoded: avro (raw binary), avro-confluent (registers its schemas) or json."`
}

// framing is what the flags ask for.
type framing struct {
	events   event.Encoding
	output   kafka.Encoding
	writers  []string // texts of schemas
	registry *kafka.Registry
}

func (f *framing) close() {
	if f.registry != nil {
		f.registry.Close()
	}
}

// defaultFraming is what there is without flags.
func defaultFraming() framing { return framing{events: event.Auto, output: kafka.Avro} }

// openFraming reads the schemas and reports every fault.
func (f *framingFlags) openFraming(plan *definition.Plan, logger *slog.Logger) (framing, error) {
	out := framing{events: event.Encoding(f.EventsEncoding), output: kafka.Encoding(f.OutputEncoding)}
	var faults []error
	var err error
	if out.registry, err = f.openRegistry(); err != nil {
		faults = append(faults, err)
	}
	needs := out.events == event.AvroConfluent || out.output == kafka.AvroConfluent
	switch given := len(f.SchemaRegistry) > 0; {
	case needs && !given:
		faults = append(faults, errors.New("--schema-registry: the encoding avro-confluent needs one"))
	case given && !needs && out.events != event.Auto:
		faults = append(faults, fmt.Errorf("--schema-registry: nothing uses it, as events are %s and results %s", out.events, out.output))
	}
	out.writers, err = f.writers(out.events, plan, logger)
	if err := errors.Join(append(faults, err)...); err != nil {
		out.close()
		return framing{}, usageError{err}
	}
	return out, nil
}

// readWriterSchemas reads files and refuses those that can't be read as the events schema.
func readWriterSchemas(files []string, plan *definition.Plan, logger *slog.Logger) (texts []string, err error) {
	reader, err := event.NewReader(schemas.Events, plan.Paths, plan.TimeSlot)
	if err != nil {
		return nil, err // the plan was made from that schema
	}
	var faults []error
	from := make(map[uint64]string)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			faults = append(faults, fmt.Errorf("--writer-schemas: %w", err))
			continue
		}
		w, err := reader.Writer(string(content))
		if err != nil {
			faults = append(faults, fmt.Errorf("--writer-schemas: %s: %w", file, err))
			continue
		}
		fingerprint, err := schemas.Fingerprint(string(content))
		if err != nil {
			return nil, err // it has been parsed
		}
		if first, twice := from[fingerprint]; twice {
			faults = append(faults, fmt.Errorf("--writer-schemas: %s and %s have one fingerprint: values can't tell which of them they were written with", first, file))
			continue
		}
		from[fingerprint] = file
		for _, what := range w.Unreadable() {
			logger.Warn("some events of a writer's schema will be dead letters", "file", file, "reason", what)
		}
		texts = append(texts, string(content))
	}
	return texts, errors.Join(faults...)
}
