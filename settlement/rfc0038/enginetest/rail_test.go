package enginetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// openRail opens a rail until the test ends.
func openRail(t *testing.T, path string) *enginetest.Rail {
	t.Helper()
	r, err := enginetest.OpenRail(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func payment(id string) enginetest.Payment {
	return enginetest.Payment{ID: id, To: enginetest.Address{Engine: "b", Account: "x"}, Amount: quantity(5, 1)}
}

// Rails on one file have the payments of all, each once and in one order.
func TestRailInAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rail")
	one, two := openRail(t, path), openRail(t, path)
	var work sync.WaitGroup
	for _, rail := range []*enginetest.Rail{one, two, one, two} {
		work.Go(func() {
			for n := range 25 {
				if err := rail.Pay(payment(fmt.Sprint(n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	first, err := one.Payments()
	require.NoError(t, err)
	require.Len(t, first, 25)
	for _, rail := range []*enginetest.Rail{two, openRail(t, path)} {
		list, err := rail.Payments()
		require.NoError(t, err)
		require.Equal(t, first, list)
	}
	other := payment("3")
	other.Amount = quantity(6, 1)
	require.ErrorIs(t, two.Pay(other), enginetest.ErrInvalidPayment)
}

// The rest of a killed writer is cut off by the next one.
func TestRailWithATornLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rail")
	one := openRail(t, path)
	require.NoError(t, one.Pay(payment("1")))
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString(`{"id":"2","fr`)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	two := openRail(t, path)
	for _, rail := range []*enginetest.Rail{two, one} {
		require.NoError(t, rail.Pay(payment("3")))
		list, err := rail.Payments()
		require.NoError(t, err)
		require.Len(t, list, 2)
	}
	require.NoError(t, os.WriteFile(path, []byte("{}\nnonsense\n"), 0o600))
	_, err = enginetest.OpenRail(path)
	require.ErrorContains(t, err, "rail at byte 3")
}

// Engines of several processes share a file: here two engines with a rail each.
func TestEnginesOnAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rail")
	_, url := newEngine(t, enginetest.Config{Name: "a", Rail: openRail(t, path), Peers: toBob})
	connector := newStub(t, echo)
	newEngine(t, enginetest.Config{Name: "b", Rail: openRail(t, path), Connector: connector.url})
	post(t, url+"/accounts", `{"id":"alice"}`)
	post(t, url+"/accounts/alice/settlements", `{"amount":"7","scale":0}`, "k")
	require.Equal(t, `{"amount":"7","scale":0}`, connector.readReports(t, 1)[0].body)
}
