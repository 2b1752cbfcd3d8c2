package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
)

// SocketName is the name of the socket in the data directory.
const SocketName = "admin.sock"

// ErrPathTooLong is returned when the system takes no socket of a path.
var ErrPathTooLong = errors.New("path of the admin socket is too long")

// longest is how many bytes the path of a socket may have: the fields of the system calls end with a zero.
func longest() int {
	if runtime.GOOS == "linux" || runtime.GOOS == "windows" {
		return 107
	}
	return 103
}

func socketPath(data string) (string, error) {
	path := filepath.Join(data, SocketName)
	if n := len(path); n > longest() {
		return "", fmt.Errorf("%w: %s has %d bytes, this system takes %d; give --data a shorter path, perhaps a relative one", ErrPathTooLong, path, n, longest())
	}
	return path, nil
}

// Listen makes the socket in a data directory whose store this process has locked: what is there is of a server that died.
func Listen(data string) (net.Listener, error) {
	path, err := socketPath(data)
	if err != nil {
		return nil, err
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("admin socket: %w", err)
	case runtime.GOOS != "windows" && info.Mode()&fs.ModeSocket == 0: // Windows doesn't say that it is one
		return nil, fmt.Errorf("admin socket: %s is something else", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("admin socket: replace the one of a server that died: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("admin socket: %w", err), l.Close())
	}
	return l, nil
}
