// Package alert owns what a rule makes of results: an alert, which fires and is resolved, and everything that it shows.
//
// Words: a rule watches the finals of one metric, one published group at a time. Its condition holds or does not hold
// at the end of each window. An alert is one stretch of firing; its identity is the rule's hash, the group and the window
// end at which it began to fire, so that a replay raises the same alerts under the same ids.
//
// The package is pure: finals go in, in the order of window ends, and transitions come out as values. The promise: what
// comes out is a function of the finals and of W, wherever W stops on its way and whenever the process is started anew.
//
// Limits: of a metric without groups 720 windows without events are judged in a row. What is remembered grows with the
// groups that are pending or firing; a rule that uses `previous` remembers every published group.
package alert
