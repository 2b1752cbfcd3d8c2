//go:build race

package e2e

// raceDetector makes everything several times slower.
const raceDetector = true
