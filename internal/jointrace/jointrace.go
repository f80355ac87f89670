// Package jointrace calls several tracers in the place of one. A tracer has pairs of methods: a start that
// returns a context, and an end that gets the context of its own start.
package jointrace

import "context"

// contexts is the context of several starts. Values come from the last one.
type contexts struct {
	context.Context
	each []context.Context // by the index of the tracer; nil: the tracer does not follow the thing
}

// StartAll calls start for each tracer in order. Each gets the context of the one before. StartAll returns nil if
// each start has returned nil.
func StartAll[T any](ctx context.Context, tracers []T, start func(T, context.Context) context.Context) context.Context {
	var joined *contexts
	for i, t := range tracers {
		started := start(t, ctx)
		if started == nil {
			continue
		}
		if joined == nil {
			joined = &contexts{each: make([]context.Context, len(tracers))}
		}
		ctx, joined.each[i] = started, started
	}
	if joined == nil {
		return nil
	}
	joined.Context = ctx
	return joined
}

// EndAll calls end in reverse order, with the context that the tracer's start has returned. Tracers whose start has
// returned nil are left out. REQUIRES: started is the result of StartAll for the same tracers.
func EndAll[T any](started context.Context, tracers []T, end func(T, context.Context)) {
	joined, _ := started.(*contexts)
	if joined == nil {
		return
	}
	for i := len(tracers) - 1; i >= 0; i-- {
		if own := joined.each[i]; own != nil {
			end(tracers[i], own)
		}
	}
}

// RemoveNil returns the tracers that are not nil.
func RemoveNil[T comparable](tracers []T) (set []T) {
	var none T
	for _, t := range tracers {
		if t != none {
			set = append(set, t)
		}
	}
	return set
}
