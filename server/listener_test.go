package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
)

func TestListenOnABusyPort(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(l.Addr().String()); !errors.Is(err, ErrAddrInUse) {
		t.Errorf("%v", err)
	}
	if _, err := Listen("192.0.2.1:1"); err == nil || errors.Is(err, ErrAddrInUse) {
		t.Errorf("an address of another machine: %v", err)
	}
}

// Who comes between two servers waits for the second one. Nobody is refused, and nobody else gets the address.
func TestServersTakeTurns(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 3 {
		asked, answered := make(chan struct{}), make(chan error, 1)
		go func() { // no server is there yet, or the one before has ended
			conn, err := net.Dial("tcp", address)
			close(asked)
			if err != nil {
				answered <- err
				return
			}
			defer conn.Close()
			if _, err = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: "+address+"\r\nConnection: close\r\n\r\n"); err == nil {
				_, err = io.ReadAll(conn)
			}
			answered <- err
		}()
		<-asked
		if _, err := Listen(address); !errors.Is(err, ErrAddrInUse) {
			t.Errorf("the address could be taken: %v", err)
		}
		turn, err := l.Turn()
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		s := newEngine(t, testDefinitions).serve(nil)
		go func() { ended <- s.Run(ctx, turn) }()
		if err := <-answered; err != nil {
			t.Error(err)
		}
		resp, err := client.Get("http://" + address + "/livez")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("answered %s", resp.Status)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if conn, err := turn.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accepted %v after its end, %v", conn, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("the address still answers")
	}
}
