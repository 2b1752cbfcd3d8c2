package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// asset is one file of the dashboard, read and packed once.
type asset struct {
	contentType string
	tag         string // ETag
	plain       []byte
	packed      []byte // gzip; nil where it does not help
}

// assetTypes are the kinds of files that the dashboard may have: what the operating system thinks of a suffix must not
// decide whether a browser takes a script for one.
var assetTypes = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".md":          "text/plain; charset=utf-8",
	".mjs":         "text/javascript; charset=utf-8",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".webmanifest": "application/manifest+json",
	".woff2":       "font/woff2",
}

// readAssets reads all files, by the path that they are served at.
func readAssets(files fs.FS) (map[string]*asset, error) {
	if files == nil {
		return nil, errors.New("read dashboard: no files were given")
	}
	assets := make(map[string]*asset)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		contentType, ok := assetTypes[path.Ext(name)]
		if !ok {
			contentType = "application/octet-stream"
		}
		sum := sha256.Sum256(content)
		assets["/"+name] = &asset{
			contentType: contentType,
			tag:         `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
			plain:       content,
			packed:      pack(content),
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read dashboard: %w", err)
	}
	if assets["/"] = assets["/index.html"]; assets["/"] == nil {
		return nil, errors.New("read dashboard: there is no index.html")
	}
	return assets, nil
}

// pack returns nil when packing saves too little.
func pack(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(fmt.Sprintf("BUG: pack into memory: %v", err))
	}
	if b.Len() > len(content)*9/10 {
		return nil
	}
	return b.Bytes()
}

// serveAsset serves a file of the dashboard. Browsers ask again each time, and mostly hear that nothing has changed: the
// files change together, when the program does.
func (s *Server) serveAsset(w http.ResponseWriter, r *http.Request) {
	a := s.assets[r.URL.Path]
	if a == nil {
		writeProblem(w, problemNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", a.tag)
	body := a.plain
	if a.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		// Packed bytes are another representation and need another tag.
		h.Set("ETag", strings.TrimSuffix(a.tag, `"`)+`-gz"`)
		h.Set("Content-Encoding", "gzip")
		body = a.packed
	}
	if strings.Contains(r.Header.Get("If-None-Match"), strings.Trim(a.tag, `"`)) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body) // a client that has gone misses nothing
}
