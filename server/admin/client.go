package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/store"
)

// ErrNotRunning is returned when no server answers at the socket of a data directory.
var ErrNotRunning = errors.New("no server is running")

// Client speaks to the server of a data directory.
type Client struct {
	data string
	http *http.Client
}

// NewClient makes a client. Nothing is sent yet.
func NewClient(data string) (*Client, error) {
	path, err := socketPath(data)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	return &Client{data: data, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", path) },
	}}}, nil
}

// Close ends its connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks what the server is doing.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.ask(ctx, http.MethodGet, "/status", nil, &s)
}

// Backup lets the server write a backup to a directory, given by its absolute path.
func (c *Client) Backup(ctx context.Context, to string) (m *store.Manifest, err error) {
	return m, c.ask(ctx, http.MethodPost, "/backup", backupRequest{To: to}, &m)
}

// Resume decides that a partition, or all of a topic, goes on without what can't be read. It returns what came of it.
func (c *Client) Resume(ctx context.Context, topic string, only *event.PartitionID) ([]string, error) {
	var a resumeAnswer
	err := c.ask(ctx, http.MethodPost, "/resume", resumeRequest{Topic: topic, Partition: only}, &a)
	return a.Gaps, err
}

// StartRebuild lets the server begin to build a new state.
func (c *Client) StartRebuild(ctx context.Context) (r Rebuild, err error) {
	return r, c.ask(ctx, http.MethodPost, "/rebuild", nothing{}, &r)
}

// Rebuild asks how far a rebuild is.
func (c *Client) Rebuild(ctx context.Context) (r Rebuild, err error) {
	return r, c.ask(ctx, http.MethodGet, "/rebuild", nil, &r)
}

func (c *Client) ask(ctx context.Context, method, path string, question, answer any) error {
	var body io.Reader
	if question != nil {
		text, err := json.Marshal(question)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w on %s", ErrNotRunning, c.data)
	case err != nil:
		return fmt.Errorf("ask the server: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("the server has gone without an answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var f faultBody
		if err := json.Unmarshal(text, &f); err != nil || f.Detail == "" {
			return fmt.Errorf("the server answered %s", resp.Status)
		}
		return f.err()
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("the answer of the server can't be read: %w", err)
	}
	return nil
}
