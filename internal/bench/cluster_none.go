//go:build !cgo || !unix

package bench

import (
	"errors"

	"github.com/peerledger/peerledger/ledger/cluster"
)

// errNoCluster says what TigerBeetle's client needs.
var errNoCluster = errors.New("-ledger cluster needs cgo, and a Unix system: this program was built without")

func openCluster(func() (cluster.Config, error)) (target, error) { return nil, errNoCluster }
