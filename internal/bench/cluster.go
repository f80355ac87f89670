//go:build cgo && unix

package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// clusterTarget is a TigerBeetle cluster. Its ledgers and clients stay open until closeTarget: a
// cluster has 64 sessions, and a session of a client that has gone stays until a new one evicts it.
type clusterTarget struct {
	cfg     cluster.Config
	ledgers map[int]*cluster.Ledger // by the number of sessions
	clients []*rawClient
}

func openCluster(which func() (cluster.Config, error)) (target, error) {
	if which == nil {
		which = cluster.ConfigFromEnv
	}
	cfg, err := which()
	if err != nil {
		return nil, err
	}
	return newClusterTarget(cfg), nil
}

func newClusterTarget(cfg cluster.Config) *clusterTarget {
	return &clusterTarget{cfg: cfg, ledgers: map[int]*cluster.Ledger{}}
}

func (s *clusterTarget) prepareTarget(ctx context.Context, sessions int) (preparedTarget, error) {
	l := s.ledgers[sessions]
	if l == nil {
		cfg := s.cfg
		cfg.Sessions = sessions + 1 // one more for requests that are no batch, as by default
		var err error
		if l, err = cluster.Open(ctx, cfg); err != nil {
			return preparedTarget{}, err
		}
		s.ledgers[sessions] = l
	}
	for len(s.clients) < sessions {
		// The cluster has just answered. If the client gets no answer, the address is not the
		// cause.
		c, err := s.connectClient(ctx)
		if err != nil {
			return preparedTarget{}, err
		}
		s.clients = append(s.clients, c)
	}
	raw := make([]connection, sessions)
	for i := range raw {
		raw[i] = s.clients[i].sendTransfers
	}
	return preparedTarget{ledger: l, connections: raw, batchMax: l.BatchMax(), closePrepared: func() error { return nil }}, nil
}

func (s *clusterTarget) closeTarget() error {
	for _, c := range s.clients {
		c.close()
	}
	var errs []error
	for _, l := range s.ledgers {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// connectClient returns a tigerbeetle-go client. It does not wait for the cluster.
func (s *clusterTarget) connectClient(ctx context.Context) (*rawClient, error) {
	resolved, err := s.cfg.Resolve(ctx) // tigerbeetle-go takes no host names
	if err != nil {
		return nil, err
	}
	addresses := make([]string, len(resolved))
	for i, address := range resolved {
		addresses[i] = address.String()
	}
	client, err := tb.NewClient(unsafecast.Value[tb.Uint128](s.cfg.ClusterID), addresses)
	if err != nil {
		return nil, fmt.Errorf("tigerbeetle-go: %w", err)
	}
	return newRawClient(ctx, client), nil
}

// rawClient is a tigerbeetle-go client. Its calls take no context, so the end of the run's context
// closes the client, and with it the calls.
type rawClient struct {
	client tb.Client
	close  func()
}

func newRawClient(ctx context.Context, client tb.Client) *rawClient {
	c := &rawClient{client: client, close: sync.OnceFunc(client.Close)}
	context.AfterFunc(ctx, c.close)
	return c
}

func (c *rawClient) sendTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	results, err := c.client.CreateTransfers(unsafecast.Slice[tb.Transfer](events))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tigerbeetle-go: %w", err), ctx.Err())
	}
	return unsafecast.Slice[ledger.CreateTransferResult](results), nil
}
