//go:build cgo

package peerledger_test

import (
	"context"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/cluster"
)

func onACluster(ctx context.Context, usd accounts.Asset) (*peerledger.Client, error) {
	cfg, err := cluster.ConfigFromEnv() // TIGERBEETLE_CLUSTER_ID, TIGERBEETLE_ADDRESSES
	if err != nil {
		panic(err) // names each wrong variable
	}
	l, err := cluster.Open(ctx, cfg)
	if err != nil {
		panic(err) // describes the failed attempt, and the likely causes
	}
	client, err := peerledger.New(l, peerledger.Config{Accounts: accounts.Config{Assets: []accounts.Asset{usd}}})
	return client, err
}

var _ = onACluster // a code block of the README
