// Package reference computes, slowly and apart from the engine, what any definitions file asks for: which rows every
// window must have published, as finals and as last revisions.
//
// It keeps all events and recomputes every window from them. It reads YAML, expressions and events on its own: of the
// engine it uses nothing but names for times and coordinates. Where the engine estimates (distinct values, quantiles),
// it counts and sorts.
//
// It knows no max_groups, no evicted sessions and no idleness: what idleness decided is journaled, and given to it.
package reference
