package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, runDemo(t.Context(), &out))
	require.Equal(t, `  alice position with bob    1.999999999 USD
  bob   position with alice -1.999999999 USD
the engine's answer is lost, so the outcome is unknown: true
asked again under the same key, the engine has taken over 1.999999000 USD
bob's connector books 1.999999 of alice, once under its key
  alice position with bob    0.000000999 USD
  bob   position with alice -0.000000999 USD
the rail has 1 payment, of 1.999999
`, out.String())
}
