package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/trace"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// openClient opens a client with the trace's assets and provisions its peers.
func openClient(ctx context.Context, tr *trace.Trace, opts *Replay) (*peerledger.Client, map[string]accounts.PeerAccount, error) {
	all, assets := numberAssets(tr)
	cfg := peerledger.Config{Accounts: accounts.Config{Assets: all}}
	if opts.engine {
		policies, err := makePolicies(tr)
		if err != nil {
			return nil, nil, err
		}
		cfg.Settlement = settlement.Config{
			// One check after each fulfill and none in between: the payments then depend on the
			// trace alone.
			Manual:   true,
			Rails:    settlement.Rails{Default: &settlement.Rail{Settler: settlement.SettlerFunc(payAtOnce)}},
			Policies: settlement.Policies{Peer: policies},
		}
	}
	client, err := peerledger.OpenEmbedded(cfg)
	if err != nil {
		return nil, nil, err
	}
	peers := make([]accounts.PeerConfig, len(tr.Peers))
	for i, p := range tr.Peers {
		peers[i] = accounts.PeerConfig{ID: p.ID, Asset: assets[newAssetKey(p)], CreditLine: p.CreditLine}
		if p.Unlimited {
			peers[i].CreditLine = accounts.Unlimited
		}
	}
	handles, err := client.Provision(ctx, peers...)
	if err != nil {
		return nil, nil, errors.Join(err, client.Close(ctx))
	}
	byPeer := make(map[string]accounts.PeerAccount, len(handles))
	for _, a := range handles {
		byPeer[a.Peer()] = a
	}
	return client, byPeer, nil
}

// assetKey identifies an asset of the trace. Amounts with one key are in the same units.
type assetKey struct {
	code  string
	scale uint8
}

func newAssetKey(p trace.Peer) assetKey { return assetKey{p.AssetCode, p.AssetScale} }

// numberAssets gives each asset of the trace a ledger number, in the order of the peers.
func numberAssets(tr *trace.Trace) (all []accounts.Asset, byKey map[assetKey]accounts.Asset) {
	byKey = map[assetKey]accounts.Asset{}
	for _, p := range tr.Peers {
		if _, known := byKey[newAssetKey(p)]; known {
			continue
		}
		asset := accounts.Asset{Code: p.AssetCode, Scale: p.AssetScale, Ledger: uint32(len(all) + 1)}
		byKey[newAssetKey(p)] = asset
		all = append(all, asset)
	}
	return all, byKey
}

// makePolicies returns the thresholds of the peers. A peer without a threshold is never paid.
func makePolicies(tr *trace.Trace) (map[string]settlement.Policy, error) {
	policies := map[string]settlement.Policy{}
	for _, p := range tr.Peers {
		if p.Settle == nil {
			continue
		}
		if !p.Settle.Threshold.Receivable.IsZero() || !p.Settle.To.Receivable.IsZero() {
			return nil, fmt.Errorf("peer %q is paid before it has earned anything, which our engine never does: use -settle trace", p.ID)
		}
		policy := settlement.Threshold{SettleThreshold: p.Settle.Threshold.Payable, SettleTo: p.Settle.To.Payable}
		if err := policy.Validate(); err != nil {
			return nil, fmt.Errorf("peer %q: %w", p.ID, err)
		}
		policies[p.ID] = policy
	}
	return policies, nil
}

// payAtOnce is a settlement rail that always pays.
func payAtOnce(_ context.Context, order settlement.Order) (ledger.Amount, error) {
	return order.Amount, nil
}
