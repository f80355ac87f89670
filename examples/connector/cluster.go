//go:build cgo

package main

import (
	"context"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/monitoring/clustermetrics"
)

// openCluster opens the cluster of the environment variables.
func (c *connector) openCluster(ctx context.Context) (ledger.Ledger, error) {
	cfg, err := cluster.ConfigFromEnv()
	if err != nil {
		return nil, err
	}
	metrics, err := clustermetrics.New(c.registry)
	if err != nil {
		return nil, err
	}
	cfg.Events = metrics.Events(cluster.Events{
		Reopened: func(r cluster.SessionReopened) {
			c.log.Warn("session opened anew", "cause", r.Cause, "away", r.Downtime)
		},
	})
	l, err := cluster.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	metrics.Watch(l)
	return l, nil
}
