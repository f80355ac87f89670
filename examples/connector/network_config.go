package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// customer is the peer at which packets for our own address end, and from which -to sends packets.
const customer = "customer"

// networkConfig is a network file: our place among the connectors around us.
type networkConfig struct {
	Address string        `json:"address"` // our ILP address; packets below it are for the customer
	Listen  string        `json:"listen"`  // host and port for peers that log in here; "": no peer does
	Peers   []networkPeer `json:"peers"`
}

// networkPeer is a peer of a network file. Either Server or Token is set.
type networkPeer struct {
	ID     string   `json:"id"`
	Server string   `json:"server"` // btp+ws://ACCOUNT:TOKEN@HOST:PORT: we log in there
	Token  string   `json:"token"`  // the peer logs in here, with its ID as the account or with none
	Routes []string `json:"routes"` // address prefixes whose packets go to the peer
	Scale  uint8    `json:"scale"`  // of the peer's asset; 0: the scale of the example's asset
	// Engine is the base URL of our settlement engine for the peer, which answers the peer's messages.
	// "": messages are rejected.
	Engine string `json:"engine"`
	// Admin is the address of the admin API of a peer that is an ilp-connector, such as
	// http://127.0.0.1:7780, and Account our account there. At the end its figures are compared with
	// ours. "": no comparison.
	Admin   string `json:"admin"`
	Account string `json:"account"`
}

// readNetwork reads a network file. An error matches errUsage.
func readNetwork(path string) (*networkConfig, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: -btp: %w", errUsage, err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	cfg := new(networkConfig)
	if err := decoder.Decode(cfg); err != nil {
		return nil, fmt.Errorf("%w: -btp %s: %w", errUsage, path, err)
	}
	if err := cfg.checkFields(); err != nil {
		return nil, fmt.Errorf("%w: -btp %s: %w", errUsage, path, err)
	}
	return cfg, nil
}

func (cfg *networkConfig) checkFields() error {
	seen := map[string]bool{customer: true}
	if cfg.Address == "" || len(cfg.Peers) == 0 {
		return errors.New("address and peers are needed")
	}
	for _, p := range cfg.Peers {
		switch _, err := url.Parse(p.Admin); {
		case p.ID == "" || seen[p.ID]:
			return fmt.Errorf("peer %q: the id is empty, taken, or %q", p.ID, customer)
		case (p.Server == "") == (p.Token == ""):
			return fmt.Errorf("peer %q: either server or token is needed", p.ID)
		case p.Token != "" && cfg.Listen == "":
			return fmt.Errorf("peer %q: a peer with a token needs listen", p.ID)
		case err != nil || (p.Admin == "") != (p.Account == ""):
			return fmt.Errorf("peer %q: admin is a URL and needs account", p.ID)
		}
		seen[p.ID] = true
	}
	return nil
}

// assetOf returns the asset of a scale. Each scale has a ledger number of its own.
func assetOf(scale uint8) accounts.Asset {
	if scale == 0 || scale == usd.Scale {
		return usd
	}
	return accounts.Asset{Code: usd.Code, Scale: scale, Ledger: 100 + uint32(scale)}
}

// assets returns the assets of the customer and the peers, each once.
func (cfg *networkConfig) assets() []accounts.Asset {
	list := []accounts.Asset{usd}
	for _, p := range cfg.Peers {
		asset, known := assetOf(p.Scale), false
		for _, a := range list {
			known = known || a == asset
		}
		if !known {
			list = append(list, asset)
		}
	}
	return list
}

// peerConfigs returns the customer and the peers. The customer is ours: its line has no end.
func (cfg *networkConfig) peerConfigs() []accounts.PeerConfig {
	list := []accounts.PeerConfig{{ID: customer, Asset: usd, CreditLine: accounts.Unlimited}}
	for _, p := range cfg.Peers {
		asset := assetOf(p.Scale)
		line := ledger.NewAmount(100)
		for range asset.Scale {
			line = ledger.ClampAmount(line.Big().Mul(line.Big(), ten))
		}
		list = append(list, accounts.PeerConfig{ID: p.ID, Asset: asset, CreditLine: line})
	}
	return list
}
