// Package memory is an events topic and a store in memory, for tests of the pipeline: what a broker and a disk do, told
// in a few lines, and whatever can go wrong with them on demand.
//
// A Log outlives its readers, as a topic outlives a server: every run of a pipeline takes a Reader of its own. Offsets
// are taken by records and by control marks, which readers pass without seeing them. A Store outlives a run too; Load
// gives what the last commit left, whatever happened to the process since.
//
// Nothing here is fast, and nothing is lost with the memory: a crash between two commits is a new run on the same Log and
// Store. What happens within a commit is the business of the real store and of its own tests.
package memory
