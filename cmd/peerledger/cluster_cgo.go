//go:build cgo

package main

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/doctor"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// openCluster opens a cluster.
func openCluster(ctx context.Context, cfg cluster.Config) (ledger.Ledger, error) {
	l, err := cluster.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return l, nil
}

// newSessionOpener returns a function that opens a session for the doctor.
func newSessionOpener(cfg cluster.Config) func(context.Context) (doctor.Session, error) {
	return func(ctx context.Context) (doctor.Session, error) { return cluster.Open(ctx, cfg) }
}
