package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "check":
		return errors.Join(checkCompose(ctx, args[1]), checkKubernetes(args[1]), checkDashboards(args[1]))
	case len(args) == 4 && args[0] == "sbom":
		return writeBill(out, args[1], args[2], args[3])
	case len(args) == 2 && args[0] == "sbom-check":
		return checkBill(args[1])
	default:
		return errors.New("want check DIR, sbom BINARY VENDOR VERSION or sbom-check FILE")
	}
}
