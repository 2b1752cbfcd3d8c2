package store

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// smallSum reads a digest, which in scripts is a small number.
func smallSum(t *testing.T, text string) digest.Sum {
	n, err := strconv.ParseUint(text, 10, 64)
	noFault(t, err)
	return digest.Sum{Lo: n}
}

func digestText(d *processing.DefinitionDigest) string {
	return fmt.Sprintf("digest %s: %d facts, %d\n", d.Name, d.Facts, d.Sum.Lo)
}

// digests shows those of all definitions, or, with m, those of a metric's windows.
func digests(d *datadriven.TestData, v *View) (string, error) {
	var b strings.Builder
	if m := str(d, "m", ""); m != "" {
		err := v.WindowDigests(hash(m), event.Millis(num(d, "from", int64(event.NoTime))), func(start event.Millis, sum digest.Sum) error {
			fmt.Fprintf(&b, "%d: %d\n", start, sum.Lo)
			return nil
		})
		return b.String(), err
	}
	all, err := v.Digests()
	for i := range all {
		b.WriteString(digestText(&all[i]))
	}
	return b.String(), err
}
