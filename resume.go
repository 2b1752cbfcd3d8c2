package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/admin"
)

type resumeCommand struct {
	Data      string   `default:"./tidemark-data" placeholder:"DIR" help:"Data directory of the server."`
	AcceptGap []string `required:"" placeholder:"TOPIC/PARTITION" help:"Go on with this partition, which stands still, without what can't be read. TOPIC alone means all that stand still."`
}

// decisionLimit is how long Kafka may take to tell what there is to go on with.
const decisionLimit = time.Minute

// Run decides on partitions that stand still.
func (c *resumeCommand) Run(ctx context.Context, std *streams) error {
	choices, err := c.choices()
	if err != nil {
		return err
	}
	client, err := runningServer(ctx, c.Data)
	if errors.Is(err, admin.ErrNotRunning) {
		return fmt.Errorf("%w: start it, as only Kafka can tell where to go on; it serves what it has meanwhile", err)
	}
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, decisionLimit)
	defer cancel()
	for _, choice := range choices {
		said, err := client.Resume(ctx, choice.topic, choice.only)
		if err != nil {
			return fmt.Errorf("resume: %w", err)
		}
		for _, line := range said {
			fmt.Fprintln(std.out, line)
		}
	}
	return nil
}

func (c *resumeCommand) check(*streams) error {
	_, err := c.choices()
	return err
}

// choice is a partition to go on with, or all of a topic.
type choice struct {
	topic string
	only  *event.PartitionID
}

// choices reports everything that is no choice.
func (c *resumeCommand) choices() (choices []choice, err error) {
	var faults []error
	for _, text := range c.AcceptGap {
		topic, only, err := parsePartition(text)
		if err != nil {
			faults = append(faults, usageError{fmt.Errorf("--accept-gap: %w", err)})
		}
		choices = append(choices, choice{topic, only})
	}
	return choices, errors.Join(faults...)
}

// parsePartition reads TOPIC/PARTITION, or TOPIC.
func parsePartition(text string) (topic string, only *event.PartitionID, err error) {
	topic, number, found := strings.Cut(text, "/")
	if topic == "" {
		return "", nil, fmt.Errorf("%q: want TOPIC/PARTITION, as in events/3, or TOPIC", text)
	}
	if !found {
		return topic, nil, nil
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return "", nil, fmt.Errorf("%q: want TOPIC/PARTITION, as in events/3, or TOPIC", text)
	}
	id := event.PartitionID(n)
	return topic, &id, nil
}
