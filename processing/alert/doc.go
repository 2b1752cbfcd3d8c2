// Package alert owns what a rule makes of results: an alert, which fires and is resolved, and everything that it shows.
//
// Words: a rule watches the finals of one metric, one published group at a time. Its condition holds or does not hold
// at the end of each window. An alert is one stretch of firing; its identity is the rule's hash, the group and the window
// end at which it began to fire, so that a replay raises the same alerts under the same ids.
//
// The package is pure: finals go in, in the order of window ends, and transitions come out as values.
package alert
