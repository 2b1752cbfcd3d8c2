package web

import (
	"embed"
	"io/fs"
)

//go:embed static
var static embed.FS

// Files are the files of the dashboard, index.html at the root.
func Files() fs.FS {
	sub, err := fs.Sub(static, "static")
	if err != nil {
		panic("BUG: the embedded folder is gone: " + err.Error())
	}
	return sub
}
