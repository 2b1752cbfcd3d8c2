package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tidemark/tidemark/processing"
)

// Client asks one server.
type Client struct {
	base string
	http http.Client
}

// New returns a client of the server that listens on an address, host:port.
func New(address string) *Client {
	return &Client{base: "http://" + address, http: http.Client{Timeout: 10 * time.Second}}
}

// Pipeline is how far the server has come.
type Pipeline struct {
	Verdict     string
	WatermarkMs *int64 `json:"watermark_ms"` // nil: none yet
	Partitions  []struct {
		Partition int32
		Lag       int64
		Fault     *string
	}
	Counters processing.Counters
	Readers  []struct {
		Name string
		Lag  int64 // entries
	}
}

// Lag is how many records and how many entries of the feed are waiting.
func (p *Pipeline) Lag() (records, entries int64) {
	for _, q := range p.Partitions {
		records += q.Lag
	}
	for _, r := range p.Readers {
		entries += r.Lag
	}
	return records, entries
}

// Digest is what the definitions in force have made.
type Digest struct {
	Definitions []struct {
		Name    string
		Hash    string
		Windows int64
		Digest  string
	}
	Digest string // the sum of them
}

// Entry is an entry of the feed.
type Entry struct {
	Seq  uint64
	Type string
}

// Ready returns nil if the server is ready, and otherwise what it says, or why it can't be asked.
func (c *Client) Ready(ctx context.Context) error { return c.ask(ctx, "/readyz", nil, &struct{}{}) }

// Pipeline asks how far the server has come.
func (c *Client) Pipeline(ctx context.Context) (p Pipeline, err error) {
	return p, c.ask(ctx, "/api/v1/pipeline", nil, &p)
}

// Digest asks what the definitions have made.
func (c *Client) Digest(ctx context.Context) (d Digest, err error) {
	return d, c.ask(ctx, "/api/v1/digest", nil, &d)
}

// Feed asks for the entries of some types after a sequence, at most a thousand; types are separated by commas.
func (c *Client) Feed(ctx context.Context, after uint64, types string) ([]Entry, error) {
	var page struct{ Entries []Entry }
	query := url.Values{"after": {strconv.FormatUint(after, 10)}, "types": {types}, "limit": {"1000"}}
	return page.Entries, c.ask(ctx, "/api/v1/feed", query, &page)
}

func (c *Client) ask(ctx context.Context, path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, response.Status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
