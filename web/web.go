package web

import (
	"bytes"
	"embed"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

//go:embed static
var static embed.FS

// sheets are the style sheets in the order in which they count. Browsers get them as one.
var sheets = []string{
	"vendor/uplot.css", "style.css", "frame.css", "live.css", "chart.css", "alerts.css", "history.css", "pipeline.css", "tips.css",
}

// Files are the files of the dashboard as browsers get them, index.html at the root. They differ from those in the folder in
// two ways, which make the page a tenth lighter: style.css is all style sheets in one, and it and our own modules are without
// their comments and indentation.
func Files() fs.FS {
	sub, err := fs.Sub(static, "static")
	if err != nil {
		panic("BUG: the embedded folder is gone: " + err.Error())
	}
	return lean{sub}
}

type lean struct{ fs.FS }

// What is left out, of modules: lines that are a comment and nothing else, and what lines begin with. No text of ours has lines
// that begin like a comment, and in templates a break with the spaces around it counts for nothing. Of sheets: comments, and
// the same.
var (
	commentLine  = regexp.MustCompile(`(?m)^[ \t]*//.*\n`)
	sheetComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	indentation  = regexp.MustCompile(`(?m)^[ \t\n]+`)
)

// ReadFile is what fs.ReadFile calls.
func (l lean) ReadFile(name string) ([]byte, error) {
	if name == "style.css" {
		var all bytes.Buffer
		for _, sheet := range sheets {
			content, err := fs.ReadFile(l.FS, sheet)
			if err != nil {
				return nil, err //nolint:wrapcheck // an fs.PathError says it all
			}
			all.Write(content)
		}
		return indentation.ReplaceAll(sheetComment.ReplaceAll(all.Bytes(), nil), nil), nil
	}
	content, err := fs.ReadFile(l.FS, name)
	if path.Ext(name) == ".mjs" && !strings.HasPrefix(name, "vendor/") {
		content = indentation.ReplaceAll(commentLine.ReplaceAll(content, nil), nil)
	}
	return content, err //nolint:wrapcheck // as above
}
