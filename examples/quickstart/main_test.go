package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest"
)

func TestQuickstart(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	client, err := openClient(&out)
	require.NoError(t, err)
	require.NoError(t, runDemo(t.Context(), &out, client))
	ledgertest.RequireNothingHeld(t, client.Ledger)
	require.NoError(t, client.Close(t.Context()))
	require.Equal(t, `  alice position     -0.06 USD, settled out 0
  bob   position   0.05999 USD, settled out 0
rail: pay 0.05999 to bob
  alice position     -0.06 USD, settled out 0
  bob   position         0 USD, settled out 0.05999
bob sends 3 cents: ILP error T04, over its credit line: true
  alice position     -0.04 USD, settled out 0
  bob   position     -0.02 USD, settled out 0.05999
`, out.String())
}
