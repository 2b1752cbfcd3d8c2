// Notices prints the licences of everything that is built into the binary: of the Go modules that it imports, of the
// Go standard library, and of the browser modules that the dashboard vendors.
package main
