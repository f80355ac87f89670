//go:build !cgo

package main

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/doctor"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// openCluster fails: a program built without cgo has no TigerBeetle client.
func openCluster(context.Context, cluster.Config) (ledger.Ledger, error) {
	return nil, fmt.Errorf("%w: this peerledger was built without cgo and has no TigerBeetle client; build it with CGO_ENABLED=1, or use --folder", errNoAnswer)
}

// newSessionOpener returns nil: a program built without cgo has no TigerBeetle client.
func newSessionOpener(cluster.Config) func(context.Context) (doctor.Session, error) { return nil }
