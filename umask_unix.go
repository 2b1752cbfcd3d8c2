//go:build unix

package main

import "syscall"

// restrictFiles keeps what this process writes from other users: events can be personal.
func restrictFiles() { syscall.Umask(0o077) }
