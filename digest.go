package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/store"
)

type digestCommand struct {
	Data string `default:"./tidemark-data" placeholder:"DIR" help:"Data directory."`
}

// Run prints what the definitions have made, as one number each.
func (c *digestCommand) Run(std *streams) error {
	err := lookInto(c.Data, func(_ *store.Store, v *store.View) error {
		digests, err := v.DigestsInForce()
		if err != nil {
			return err
		}
		return printDigests(std.out, digests)
	})
	if errors.Is(err, store.ErrInUse) {
		return fmt.Errorf("%w; a running server answers GET /api/v1/digest", err)
	}
	return err
}

func printDigests(w io.Writer, digests []processing.DefinitionDigest) error {
	out := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	for _, d := range digests {
		fmt.Fprintf(out, "%s\t%s\t%d\t%s\n", d.Name, d.Hash, d.Facts, d.Sum)
	}
	fmt.Fprintf(out, "total\t\t\t%s\n", processing.TotalDigest(digests))
	return out.Flush()
}
