package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/tidemark/tidemark/store"
)

type inspectCommand struct {
	Data string `default:"./tidemark-data" placeholder:"DIR" help:"Data directory."`
}

// Run prints what the store holds.
func (c *inspectCommand) Run(std *streams) error {
	return lookInto(c.Data, func(s *store.Store, v *store.View) error {
		if err := printStore(std.out, s, v); err != nil {
			return err
		}
		if err := printSetAside(std.out, c.Data); err != nil {
			return err
		}
		return printFaults(std.out, v)
	})
}

// lookInto shows the store of a data directory that no server runs on. It is only read.
func lookInto(data string, look func(*store.Store, *store.View) error) (err error) {
	options := store.Default()
	options.Logger = slog.New(slog.DiscardHandler)
	s, err := store.OpenReadOnly(filepath.Join(data, "store"), options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	v, err := s.View()
	if err != nil {
		return err
	}
	defer v.Close()
	return look(s, v)
}

// printSetAside lists the states that rebuilt ones have replaced, if there are any.
func printSetAside(w io.Writer, data string) error {
	replaced, err := store.ListSetAside(filepath.Join(data, "store"), store.Default())
	if err != nil || len(replaced) == 0 {
		return err
	}
	fmt.Fprintln(w)
	for _, r := range replaced {
		fmt.Fprintf(w, "%s (%.1f MiB) was replaced by a rebuilt state; delete it when it is no longer wanted\n", r.Dir, float64(r.Bytes)/(1<<20))
	}
	return nil
}

// printFaults lists what stood still when the server stopped. That needs a decision.
func printFaults(w io.Writer, v *store.View) error {
	faults, err := v.Faults()
	if err != nil || len(faults) == 0 {
		return err
	}
	fmt.Fprintln(w)
	for i := range faults {
		f := &faults[i]
		fmt.Fprintf(w, "%s/%d stands still since %s: %s: %s. %s\n", f.Topic, f.Partition, time.UnixMilli(f.AtMs).UTC().Format(time.RFC3339), f.Kind, f.Detail, f.Advice())
	}
	return decisionError{fmt.Errorf("%d partitions stand still: start the server and decide, see above", len(faults))}
}

func printStore(w io.Writer, s *store.Store, v *store.View) error {
	out := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	size, free := s.Size()
	first, err := v.First()
	if err != nil {
		return err
	}
	counters := v.Counters()
	fmt.Fprintf(out, "instance\t%s\nepoch\t%s\nwatermark\t%s\nfeed\t%d to %d\n", s.Instance(), s.Epoch(), v.Watermark().RFC3339(), first, v.Head())
	fmt.Fprintf(out, "records\t%d consumed: %d applied, %d filtered, %d late, %d dead letters\n",
		counters.Consumed, counters.Applied, counters.Filtered, counters.Late, counters.DeadLetters)
	fmt.Fprintf(out, "size\t%.1f MiB, %.1f GiB free\n", float64(size)/(1<<20), float64(free)/(1<<30))
	if err := printCursors(out, v); err != nil {
		return err
	}
	if err := printSchemas(out, v); err != nil {
		return err
	}
	if err := printKeyspaces(out, v); err != nil {
		return err
	}
	return out.Flush()
}

func printCursors(out io.Writer, v *store.View) error {
	cursors, err := v.Cursors()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nTOPIC/PARTITION\tNEXT\tHELD FROM\tNEWEST EVENT\tCLUSTER\tTOPIC ID\n")
	for _, c := range cursors {
		fmt.Fprintf(out, "%s/%d\t%d\t%d\t%s\t%s\t%x\n", c.Topic, c.Partition, c.Next, c.HeldFrom, c.Max.RFC3339(), c.ClusterID, c.TopicID)
	}
	floors, err := v.Floors()
	if err != nil {
		return err
	}
	gaps, err := v.Gaps()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\njournal\t%d floors, %d gaps\n", len(floors), len(gaps))
	for i := range gaps {
		fmt.Fprintf(out, "gap\t%s: %s, accepted %s\n", gaps[i].Reason, gaps[i].String(), time.UnixMilli(gaps[i].AtMs).UTC().Format(time.RFC3339))
	}
	return nil
}

// printSchemas lists the schemas that framed events were written with, if there are any.
func printSchemas(out io.Writer, v *store.View) error {
	list, err := v.Schemas()
	if err != nil || len(list) == 0 {
		return err
	}
	fmt.Fprintf(out, "\nSCHEMA\tTYPE\tBYTES\tPARTITIONS\n")
	for i := range list {
		fmt.Fprintf(out, "%s\t%s\t%d\t%d\n", list[i].Ref, list[i].Type, len(list[i].Text), len(list[i].Starts))
	}
	return nil
}

func printKeyspaces(out io.Writer, v *store.View) error {
	starts, err := v.Starts()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nDEFINITION\tHASH\n")
	for _, s := range starts {
		fmt.Fprintf(out, "%s\t%s\n", s.Name, s.Hash)
	}
	spaces, err := v.Keyspaces()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nKEYSPACE\tKEYS\tBYTES\n")
	for _, k := range spaces {
		fmt.Fprintf(out, "%s\t%d\t%d\n", k.Name, k.Keys, k.Bytes)
	}
	return nil
}
