package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/schemas"
)

// Registry is a schema registry that is asked over HTTP. It implements processing.Registry and is safe for concurrent use.
//
// Each call asks every server once, beginning with the one that answered last. What is worth asking again, and when, is
// for the caller to decide.
type Registry struct {
	servers []server
	close   func()
	good    atomic.Int32 // the server that answered last
	proven  atomic.Bool  // it has told a schema: it is a registry, and not some other server that knows no such path
}

type server struct {
	url    string
	client *sr.Client
}

var _ processing.Registry = (*Registry)(nil)

// NewRegistry makes a registry. Nothing is sent before its first use.
func NewRegistry(o RegistryOptions) (*Registry, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	transport, err := newRegistryTransport(&o)
	if err != nil {
		return nil, err
	}
	r := &Registry{close: transport.next.CloseIdleConnections}
	for _, u := range transport.urls {
		client, err := sr.NewClient(sr.URLs(u), sr.UserAgent("tidemark"),
			sr.HTTPClient(&http.Client{Transport: transport, Timeout: o.Timeout}))
		if err != nil {
			return nil, fmt.Errorf("make schema registry client: %w", err)
		}
		r.servers = append(r.servers, server{u, client})
	}
	return r, nil
}

// Close closes the connections that are kept for later questions.
func (r *Registry) Close() { r.close() }

// Schema implements processing.Registry.
func (r *Registry) Schema(ctx context.Context, id int32) (found processing.RegisteredSchema, err error) {
	err = r.ask(ctx, func(client *sr.Client) error {
		s, err := client.SchemaByID(ctx, int(id))
		if err != nil {
			return err
		}
		found = processing.RegisteredSchema{Type: s.Type.String(), Text: s.Schema}
		if s.Type != sr.TypeAvro || len(s.References) == 0 {
			return nil
		}
		c := collector{client: client, seen: make(map[sr.SchemaReference]bool)}
		if err := c.collect(ctx, s.References); err != nil {
			return err
		}
		// A text that can't be put together is kept as it is: that it can't be read is then found out, and said, there.
		if text, err := schemas.Inline(s.Schema, c.texts...); err == nil {
			found.Text = text
		}
		return nil
	})
	if err != nil {
		return processing.RegisteredSchema{}, fmt.Errorf("schema id %d: %w", id, err)
	}
	r.proven.Store(true)
	return found, nil
}

// Register makes a schema known under a subject and returns its number. One that is known already keeps its number.
func (r *Registry) Register(ctx context.Context, subject, schema string) (id int32, err error) {
	err = r.ask(ctx, func(client *sr.Client) error {
		n, err := client.RegisterSchema(ctx, subject, sr.Schema{Schema: schemas.Compact(schema), Type: sr.TypeAvro}, -1, -1)
		if err == nil && (n < 0 || n > math.MaxInt32) {
			err = fmt.Errorf("the registry gave it number %d, which no frame can hold", n)
		}
		id = int32(n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("register the schema of %s: %w", subject, err)
	}
	return id, nil
}

// ask puts a question to one server after the other, until one answers.
func (r *Registry) ask(ctx context.Context, question func(*sr.Client) error) error {
	var faults []error
	first := int(r.good.Load())
	for i := range r.servers {
		n := (first + i) % len(r.servers)
		err := r.classify(question(r.servers[n].client))
		if err == nil || errors.Is(err, processing.ErrUnknownSchema) {
			r.good.Store(int32(n))
			return err
		}
		faults = append(faults, fmt.Errorf("%s: %w", r.servers[n].url, err))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(faults...)
}

// classify tells the answer that there is no such schema from all that can change by itself, or once somebody mends it.
func (r *Registry) classify(err error) error {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) {
		return err
	}
	text := strings.TrimSpace(answer.Message)
	if len(text) == 0 || len(text) > 200 {
		text = http.StatusText(answer.StatusCode)
	}
	err = fmt.Errorf("status %d: %s", answer.StatusCode, text)
	switch {
	case answer.StatusCode != http.StatusNotFound:
		return err
	case answer.ErrorCode != 0 || r.proven.Load():
		return fmt.Errorf("%w: %w", processing.ErrUnknownSchema, err)
	default:
		// A wrong address would make dead letters of everything.
		return fmt.Errorf("%w, from a server that does not seem to be a schema registry", err)
	}
}

// maxReferences bounds how many schemas one schema may refer to, those it refers to included.
const maxReferences = 200

// collector fetches the schemas that a schema refers to.
type collector struct {
	client *sr.Client
	seen   map[sr.SchemaReference]bool
	texts  []string
}

func (c *collector) collect(ctx context.Context, references []sr.SchemaReference) error {
	for _, ref := range references {
		ref.Name = "" // Avro finds types by their own names
		if c.seen[ref] || len(c.seen) >= maxReferences {
			continue
		}
		c.seen[ref] = true
		s, err := c.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		if err != nil {
			return err
		}
		c.texts = append(c.texts, s.Schema.Schema)
		if err := c.collect(ctx, s.References); err != nil {
			return err
		}
	}
	return nil
}

// registryTimeout is how long one request may take.
const registryTimeout = 10 * time.Second
