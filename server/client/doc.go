// Package client asks a running server over REST. It owns no state; it is for commands that start a server or watch one.
//
// Every question is one request without a retry: whoever asks knows whether the server may be away. Only the fields that are used
// somewhere are read; docs/reference/rest.md tells all of them.
package client
