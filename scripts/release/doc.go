// Release builds what users download: the program for every system that it runs on, each as an archive with its licences, a
// CycloneDX bill of materials beside each, and SHA256SUMS of all.
//
//	go run ./scripts/release [-version V] [-into DIR] [-only OS/ARCH]
//
// The same commit, version and Go release give the same bytes, wherever and whenever it is built: paths are trimmed, nothing
// of the checkout is stamped but the version, and all times are that of the commit (or SOURCE_DATE_EPOCH).
package main
