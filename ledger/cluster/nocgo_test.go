//go:build !cgo

package cluster

import "testing"

// Without cgo this test says why the package has next to none.
func TestNeedsCgo(t *testing.T) {
	t.Parallel()
	t.Skip("needs cgo: set CGO_ENABLED=1 and install a C compiler; TigerBeetle's client, and so ledger/cluster and ledger/tbclient, need both")
}
