package jsonline

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, value := range []any{map[string]any{"b": "<", "a": 1}, struct{}{}, &struct{ Name string }{"x"}} {
		require.NoError(t, Write(&text, value))
	}
	require.Equal(t, `{"json":1,"a":1,"b":"\u003c"}`+"\n"+`{"json":1}`+"\n"+`{"json":1,"Name":"x"}`+"\n", text.String())
	for _, value := range []any{[]int{1}, "x", nil, func() {}} {
		require.Error(t, Write(&text, value))
	}
	require.ErrorIs(t, Write(full{}, struct{}{}), errFull)
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }
