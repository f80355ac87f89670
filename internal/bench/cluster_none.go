//go:build !cgo || !unix

package bench

import (
	"errors"

	"github.com/peerledger/peerledger/ledger/cluster"
)

// errNoCluster is returned for "-ledger cluster" in a build without TigerBeetle's client.
var errNoCluster = errors.New("-ledger cluster needs a build with cgo on a Unix system")

func openCluster(func() (cluster.Config, error)) (target, error) { return nil, errNoCluster }
