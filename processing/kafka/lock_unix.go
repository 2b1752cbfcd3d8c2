//go:build unix && !solaris && !illumos && !aix

package kafka

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// dirLock is held by the process that uses a directory. The kernel releases it when the process ends, however it ends.
type dirLock struct{ file *os.File }

func lockDir(dir string) (*dirLock, error) {
	file, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", dir, ErrBrokerInUse)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return &dirLock{file}, nil
}

func (l *dirLock) release() error { return l.file.Close() }

func isAddrInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
