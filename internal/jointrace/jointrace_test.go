package jointrace_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/jointrace"
)

type keyOf string

// named is a tracer that notes its calls. A tracer named quiet follows nothing.
type named struct {
	name  string
	calls *[]string
}

func (n named) start(ctx context.Context) context.Context {
	*n.calls = append(*n.calls, "start "+n.name)
	if n.name == "quiet" {
		return nil
	}
	return context.WithValue(ctx, keyOf("mine"), n.name)
}

func (n named) end(ctx context.Context) {
	*n.calls = append(*n.calls, fmt.Sprintf("end %s with %v", n.name, ctx.Value(keyOf("mine"))))
}

func Example() {
	var calls []string
	tracers := []named{{"log", &calls}, {"quiet", &calls}, {"spans", &calls}}
	ctx := jointrace.StartAll(context.Background(), tracers, named.start)
	jointrace.EndAll(ctx, tracers, named.end)
	for _, call := range calls {
		fmt.Println(call)
	}
	// Output:
	// start log
	// start quiet
	// start spans
	// end spans with spans
	// end log with log
}

func TestNoTracerFollows(t *testing.T) {
	t.Parallel()
	var calls []string
	tracers := []named{{"quiet", &calls}, {"quiet", &calls}}
	ctx := jointrace.StartAll(t.Context(), tracers, named.start)
	require.Nil(t, ctx)
	jointrace.EndAll(ctx, tracers, named.end)
	require.Equal(t, []string{"start quiet", "start quiet"}, calls)
}

// A later tracer sees the values of the earlier ones, and so does the caller.
func TestContextsAreChained(t *testing.T) {
	t.Parallel()
	var calls []string
	tracers := []named{{"first", &calls}, {"second", &calls}}
	before := context.WithValue(t.Context(), keyOf("caller"), "kept")
	ctx := jointrace.StartAll(before, tracers, named.start)
	require.Equal(t, "second", ctx.Value(keyOf("mine")))
	require.Equal(t, "kept", ctx.Value(keyOf("caller")))
}

func TestRemoveNil(t *testing.T) {
	t.Parallel()
	var none fmt.Stringer
	require.Empty(t, jointrace.RemoveNil([]fmt.Stringer{none, nil}))
}
