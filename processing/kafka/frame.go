package kafka

import (
	"context"
	"log/slog"

	"github.com/tidemark/tidemark/schemas"
)

// Registrar gives schemas their numbers.
type Registrar interface {
	// Register returns the number of a schema under a subject. It may be called again.
	Register(ctx context.Context, subject, schema string) (int32, error)
}

// frames puts the numbers of their schemas before the values of topics.
type frames struct {
	registrar Registrar // nil: nothing is framed
	log       *slog.Logger
	topics    []*topicFrame
}

type topicFrame struct {
	topic  string
	schema string
	header []byte // what stands before a value; nil until the schema is registered
}

// add has the values of a topic framed.
func (f *frames) add(topic, schema string) {
	f.topics = append(f.topics, &topicFrame{topic: topic, schema: schema})
}

// register sees to it that all schemas have numbers. It tries until ctx ends, and reports false then.
func (f *frames) register(ctx context.Context) bool {
	if f.registrar == nil {
		return true
	}
	for _, t := range f.topics {
		for try := 1; t.header == nil; try++ {
			id, err := f.registrar.Register(ctx, t.topic+"-value", t.schema)
			if err == nil {
				t.header = schemas.AppendFrame(nil, schemas.Registered(id))
				if try > 1 {
					f.log.Info("schema registered", "topic", t.topic, "id", id)
				}
				break
			}
			if ctx.Err() != nil {
				return false
			}
			if try == 1 {
				f.log.Warn("a schema can't be registered; its topic waits, and the feed keeps what it gets", "topic", t.topic, "error", err)
			}
			if !pause(ctx, backoff(try)) {
				return false
			}
		}
	}
	return true
}

// frame returns a value as it stands in a topic.
func (f *frames) frame(topic string, value []byte) []byte {
	if f.registrar == nil {
		return value
	}
	for _, t := range f.topics {
		if t.topic == topic {
			return append(append(make([]byte, 0, len(t.header)+len(value)), t.header...), value...)
		}
	}
	return value
}
