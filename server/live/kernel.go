package live

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
)

// kernelBuffer bounds what the kernel holds for a client that reads slower than it is told: megabytes otherwise, all of
// them older than what the next frame would say. Linux doubles it for its own needs. It lets a client that is 100 ms away
// take a megabyte a second.
const kernelBuffer = 128 << 10

// shallow is a ResponseWriter whose connection holds little that has been written and not been read.
type shallow struct{ http.ResponseWriter }

// Hijack hands over the connection.
func (s shallow) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over connection: %w", err)
	}
	if c, ok := conn.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = c.SetWriteBuffer(kernelBuffer) // a refusal costs memory of the kernel, and nothing that is promised
	}
	return conn, rw, nil
}
