// Package admin owns the socket by which commands reach a running server: HTTP on the Unix socket DATA/admin.sock.
//
// Whoever may open the socket may do everything: its mode is 0600, and its directory the server's own. There is nothing to
// be guessed and nothing to be limited, so that there is no token.
//
//	GET  /status    what the pipeline does, and what stands still
//	POST /backup    {"to": DIR}
//	POST /resume    {"topic": NAME, "partition": N}; without a partition all of the topic that stand still
//	POST /rebuild   begins to build a new state; GET tells how far it is
//
// A fault is answered with its text and a word for what it is, so that the client can hand on the error that the server had.
//
// Limits: a socket whose server has died is replaced, as the store's lock has proven before that there is only one server; a
// path that is longer than the system takes is refused with ErrPathTooLong.
package admin
