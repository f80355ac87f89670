//go:build !cgo

package main

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
)

// errNoCluster is returned for "-ledger cluster" in a build without TigerBeetle's client.
var errNoCluster = errors.New("-ledger cluster needs a build with cgo")

func (*connector) openCluster(context.Context) (ledger.Ledger, error) { return nil, errNoCluster }
