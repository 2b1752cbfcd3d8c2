package kafka

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

// watched is what some files hold together. They are small, and read whole each time: times and sizes of files can stay
// the same while what they hold changes.
type watched[T any] struct {
	files  []string
	parse  func(files [][]byte) (T, error)
	logger *slog.Logger

	mu       sync.Mutex
	fixed    bool     // one of them is a pipe or the like, which can be read once only; owned by mu
	contents [][]byte // as of the last look, usable or not; owned by mu
	trouble  string   // with reading them, at the last look; owned by mu
	value    T        // the last usable; owned by mu
}

// load reads the files for the first time.
func (w *watched[T]) load() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.files {
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
			w.fixed = true
		}
	}
	contents, err := w.read()
	if err != nil {
		return err
	}
	w.contents = contents
	w.value, err = w.parse(contents)
	if err != nil {
		return fmt.Errorf("%s: %w", w.files[0], err)
	}
	return nil
}

// current is what the files hold now, or if that is of no use, what they held before.
func (w *watched[T]) current() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fixed {
		return w.value
	}
	contents, err := w.read()
	switch {
	case err != nil:
		if err.Error() != w.trouble {
			w.trouble = err.Error()
			w.logger.Warn("kafka: a file can't be read; going on with what it held", "error", err)
		}
		return w.value
	case slices.EqualFunc(contents, w.contents, bytes.Equal):
		w.trouble = ""
		return w.value
	}
	w.contents, w.trouble = contents, ""
	value, err := w.parse(contents)
	if err != nil {
		w.logger.Warn("kafka: a file has changed and can't be used; going on with what it held", "files", w.files, "error", err)
		return w.value
	}
	w.value = value
	w.logger.Info("kafka: a file has changed; new connections use it", "files", w.files)
	return value
}

// maxFile is far above what certificates and passwords take.
const maxFile = 4 << 20

func (w *watched[T]) read() ([][]byte, error) {
	contents := make([][]byte, len(w.files))
	for i, name := range w.files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		contents[i], err = io.ReadAll(io.LimitReader(f, maxFile+1))
		_ = f.Close()
		if err != nil {
			return nil, err
		}
		if len(contents[i]) > maxFile {
			return nil, fmt.Errorf("%s: larger than %d MiB", name, maxFile>>20)
		}
	}
	return contents, nil
}

// warnIfShared is for files with secrets. The system's own modes are no help on Windows.
func warnIfShared(name string, logger *slog.Logger) {
	info, err := os.Stat(name)
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o007 != 0 && runtime.GOOS != "windows" {
		logger.Warn("kafka: every user of this machine may use this file, which holds a secret", "file", name, "mode", info.Mode().String())
	}
}

// parseAuthorities takes every certificate of a file. One that has expired would be of no use; if there are no others,
// no broker could ever be known.
func parseAuthorities(files [][]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	found, valid := 0, 0
	for rest := files[0]; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", found+1, err)
		}
		found++
		if checkTime(c) == nil {
			valid++
		}
		pool.AddCert(c)
	}
	switch {
	case found == 0:
		return nil, errors.New("no certificate in it: want PEM, which begins with -----BEGIN CERTIFICATE-----")
	case valid == 0:
		return nil, errors.New("all of its certificates are out of date")
	}
	return pool, nil
}

// parsePair takes a certificate and its key.
func parsePair(files [][]byte) (*tls.Certificate, error) {
	if bytes.Contains(files[1], []byte("BEGIN ENCRYPTED PRIVATE KEY")) || bytes.Contains(files[1], []byte("Proc-Type: 4,ENCRYPTED")) {
		return nil, errors.New("its key is encrypted with a password, which nobody could give at a start; one that is not is needed")
	}
	pair, err := tls.X509KeyPair(files[0], files[1])
	if err != nil {
		return nil, err
	}
	if err := checkTime(pair.Leaf); err != nil {
		return nil, err
	}
	return &pair, nil
}

func checkTime(c *x509.Certificate) error {
	switch now := time.Now(); {
	case now.After(c.NotAfter):
		return fmt.Errorf("the certificate has expired at %s", c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s", c.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}
