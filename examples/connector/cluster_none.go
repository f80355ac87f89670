//go:build !cgo

package main

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
)

// errNoCluster says what TigerBeetle's client needs.
var errNoCluster = errors.New("-ledger cluster needs cgo: this program was built without")

func (*connector) openCluster(context.Context) (ledger.Ledger, error) { return nil, errNoCluster }
