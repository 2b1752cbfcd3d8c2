//go:build windows

package kafka

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

const (
	errSharingViolation = syscall.Errno(32)    // ERROR_SHARING_VIOLATION
	errAddrInUse        = syscall.Errno(10048) // WSAEADDRINUSE
)

// dirLock is held by the process that uses a directory: a file opened without sharing. The system closes it when the
// process ends, however it ends.
type dirLock struct{ handle syscall.Handle }

func lockDir(dir string) (*dirLock, error) {
	name, err := syscall.UTF16PtrFromString(filepath.Join(dir, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	handle, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, fmt.Errorf("%s: %w", dir, ErrBrokerInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return &dirLock{handle}, nil
}

func (l *dirLock) release() error { return syscall.CloseHandle(l.handle) }

func isAddrInUse(err error) bool { return errors.Is(err, errAddrInUse) }
