// Package freeport finds ports for the processes that tests start, and start again. They are none of those that a system gives to
// outgoing connections, as port 0 would be: while a process is down, a client of another test must not come to sit on its port.
package freeport
