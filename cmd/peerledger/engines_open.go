package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"os"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// openEngine is an engine of the configuration, ready to be called.
type openEngine struct {
	cfg     engineConfig
	client  *rfc0038.Client
	settler *rfc0038.Settler
	rail    *settlement.Rail
	peers   []peerAsset // the configured peers that the engine pays
}

// openEngines prepares the engines of the configuration. It sends nothing. Close their clients.
func (a *app) openEngines(cfg config, events rfc0038.SettlerEvents) ([]*openEngine, *rfc0038.AccountIDs, error) {
	ids, err := cfg.newAccountIDs()
	if err != nil {
		return nil, nil, err
	}
	var list []*openEngine
	for _, e := range cfg.Engines {
		opened, err := a.openEngine(cfg, e, ids, events)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: engine %s: %w", errUsage, e.Name, err)
		}
		list = append(list, opened)
	}
	return list, ids, nil
}

func (a *app) openEngine(cfg config, e engineConfig, ids *rfc0038.AccountIDs, events rfc0038.SettlerEvents) (*openEngine, error) {
	client, err := a.newEngineClient(e)
	if err != nil {
		return nil, err
	}
	opened := &openEngine{cfg: e, client: client, peers: cfg.listPeersOf(e)}
	scales := accounts.Rules[*uint8]{Asset: map[accounts.Asset]*uint8{}, PeerAsset: map[peerAsset]*uint8{}}
	for _, asset := range cfg.toBookConfig().Assets {
		if cfg.serves(e, asset) {
			scales.Asset[asset] = e.Scale
		}
	}
	for _, key := range opened.peers {
		scales.PeerAsset[key] = e.Scale
	}
	lifetime, err := e.parseKeyLifetime()
	if err != nil {
		return nil, err
	}
	opened.settler, err = rfc0038.NewSettler(rfc0038.SettlerConfig{
		Client: client, IDs: ids, EngineScales: scales, KeyLifetime: lifetime, Events: events,
	})
	if err != nil {
		return nil, err
	}
	opened.rail = opened.settler.Rail(e.Name)
	opened.rail.Settler = keepsOpen{opened.settler}
	return opened, nil
}

// listPeersOf returns the configured peers that an engine pays.
func (c config) listPeersOf(e engineConfig) (list []peerAsset) {
	for _, p := range c.Peers {
		asset, err := c.findAsset(p.Asset)
		if err != nil {
			continue // validate reports unknown assets
		}
		if found, ok := c.findEngine(p, asset); ok && found.Name == e.Name {
			list = append(list, peerAsset{Peer: p.ID, Asset: asset})
		}
	}
	return list
}

// newEngineClient reads the engine's secrets and makes its client.
func (a *app) newEngineClient(e engineConfig) (*rfc0038.Client, error) {
	cfg := rfc0038.ClientConfig{URL: e.URL, HeaderName: e.Header.Name, Timeout: e.Timeout}
	var err error
	if cfg.BearerToken, err = a.readSecret(e.Token); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	if cfg.HeaderValue, err = a.readSecret(e.Header.Secret); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if e.CAFile != "" {
		pool := x509.NewCertPool()
		content, err := os.ReadFile(e.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		if !pool.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("ca_file: %s has no certificate in PEM", e.CAFile)
		}
		cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	return rfc0038.NewClient(cfg)
}

// closeEngines closes the connections of engines.
func closeEngines(list []*openEngine) {
	for _, e := range list {
		e.client.Close()
	}
}

// newEngineRails returns the rails of engines for a [settlement.Config]. An engine pays the peers of its
// assets, and the peers that name it.
func newEngineRails(cfg config, list []*openEngine) settlement.Rails {
	rails := settlement.Rails{Asset: map[accounts.Asset]*settlement.Rail{}, PeerAsset: map[peerAsset]*settlement.Rail{}}
	for _, e := range list {
		for _, asset := range cfg.toBookConfig().Assets {
			if cfg.serves(e.cfg, asset) {
				rails.Asset[asset] = e.rail
			}
		}
		for _, key := range e.peers {
			rails.PeerAsset[key] = e.rail
		}
	}
	for _, p := range cfg.Peers {
		if asset, err := cfg.findAsset(p.Asset); err == nil && p.Engine == noEngine {
			rails.PeerAsset[peerAsset{Peer: p.ID, Asset: asset}] = nil
		}
	}
	return rails
}

// nameEngineRails returns rails that never pay, so that orders of engines are shown with the name of their
// rail: the ledger has a hash of it.
func nameEngineRails(cfg config) settlement.Rails {
	never := func(context.Context, settlement.Order) (ledger.Amount, error) {
		return ledger.Amount{}, settlement.ErrPending
	}
	var list []*openEngine
	for _, e := range cfg.Engines {
		list = append(list, &openEngine{
			cfg: e, peers: cfg.listPeersOf(e), rail: &settlement.Rail{Name: e.Name, Settler: settlement.SettlerFunc(never)},
		})
	}
	return newEngineRails(cfg, list)
}

// keepsOpen is a [settlement.Settler] whose errors match errOrderOpen, if the order stays open.
type keepsOpen struct{ settler *rfc0038.Settler }

// Settle calls the engine.
func (k keepsOpen) Settle(ctx context.Context, order settlement.Order) (ledger.Amount, error) {
	paid, err := k.settler.Settle(ctx, order)
	if err != nil && !errors.Is(err, settlement.ErrDeclined) {
		err = fmt.Errorf("%w: %w", errOrderOpen, err)
	}
	return paid, err
}

// raiseToUnit has a policy order at least one unit of the engine: an engine pays whole units.
func (e engineConfig) raiseToUnit(policy settlement.Policy, asset accounts.Asset) settlement.Policy {
	if policy == nil || e.Scale == nil || *e.Scale >= asset.Scale {
		return policy
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(asset.Scale-*e.Scale)), nil)
	return settlement.AtLeast{Amount: ledger.ClampAmount(unit), Of: policy}
}
