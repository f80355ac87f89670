package rfc0038_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// Every answer is an answer, and a request that asks for one changes nothing and is not counted.
func TestReach(t *testing.T) {
	t.Parallel()
	var asked []string
	status := http.StatusMethodNotAllowed
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		w.WriteHeader(status)
	}))
	client, err := rfc0038.NewClient(rfc0038.ClientConfig{URL: engine.URL + "/e/", BearerToken: "secret"})
	require.NoError(t, err)
	defer client.Close()
	for _, status = range []int{http.StatusMethodNotAllowed, http.StatusOK, http.StatusUnauthorized} {
		got, err := client.Reach(t.Context())
		require.NoError(t, err)
		require.Equal(t, status, got)
	}
	require.Equal(t, []string{"GET /e/accounts Bearer secret", "GET /e/accounts Bearer secret", "GET /e/accounts Bearer secret"}, asked)
	require.Empty(t, client.RequestCounts())
	engine.Close()
	_, err = client.Reach(t.Context())
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
}
