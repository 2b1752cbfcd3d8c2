package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Linux gives outgoing connections ports from 32768 on, others from 49152 on.
const first, end = 20_000, 32_768

// given are the ports that this process was given already.
var given struct {
	sync.Mutex
	ports map[int]bool
}

// Find returns a port of 127.0.0.1 that nothing listens on, another one each time.
func Find() (int, error) {
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = make(map[int]bool)
	}
	for range 1000 {
		port := first + rand.IntN(end-first)
		if given.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		given.ports[port] = true
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port in [%d, %d)", first, end)
}
