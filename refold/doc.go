// Package refold folds a log again, beside a state that was made of it: to compare the two (replay), or to take the place of the
// old one (rebuild).
package refold
