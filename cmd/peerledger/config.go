package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/settlement"
)

// config is the content of the configuration file.
type config struct {
	file    string // its path; "" without a file
	context string // the context that names the file; "" for none

	ClusterID string        `yaml:"cluster_id"`
	Addresses []string      `yaml:"addresses"`
	Folder    string        `yaml:"folder"`
	Namespace string        `yaml:"namespace"`
	Assets    []assetConfig `yaml:"assets"`
	Peers     []peerConfig  `yaml:"peers"`

	Engines       []engineConfig `yaml:"engines"`
	EngineReports reportsConfig  `yaml:"engine_reports"`
	EnginesStatus string         `yaml:"engines_status"` // a file; "" is beside the configuration

	Reasons map[string]uint32 `yaml:"reasons"` // names for --reason

	BankAccounts []bankConfig `yaml:"bank_accounts"`
	BankState    string       `yaml:"bank_state"` // a file; "" is beside the configuration

	OperatorJournal string `yaml:"operator_journal"` // a file, or "none"; "" is beside the configuration
}

// assetConfig is an asset in the configuration file.
type assetConfig struct {
	Code      string `yaml:"code"`
	Scale     uint8  `yaml:"scale"`
	Ledger    uint32 `yaml:"ledger"`
	AllowLoss bool   `yaml:"allow_loss"`
	// Limit bounds all payments in the asset. PeerLimit bounds the payments to each peer that
	// has no limit of its own.
	Limit     limitConfig `yaml:"limit"`
	PeerLimit limitConfig `yaml:"peer_limit"`
}

func (c assetConfig) toAsset() accounts.Asset {
	return accounts.Asset{Code: c.Code, Scale: c.Scale, Ledger: c.Ledger, AllowLoss: c.AllowLoss}
}

// peerConfig is a peer in one asset. Amounts are in whole units.
type peerConfig struct {
	ID         string `yaml:"id"`
	Asset      string `yaml:"asset"`       // as in USD or USD/9; "" is the only asset
	CreditLine string `yaml:"credit_line"` // or "unlimited"; "" is none
	SettleAt   string `yaml:"settle_at"`   // "" is never
	SettleTo   string `yaml:"settle_to"`   // "" is 0; below 0 the peer is prefunded

	Limit limitConfig `yaml:"limit"`

	Engine        string `yaml:"engine"`         // "" is the asset's engine, "none" is none
	EngineAccount string `yaml:"engine_account"` // the account's id at the engine; "" is made of asset and peer
}

// errNoLedger is returned when neither flags, environment nor file name a ledger.
var errNoLedger = errors.New("no ledger is named")

// defaultFile is read from the working directory if no other file is named.
const defaultFile = "peerledger.yaml"

// readConfig reads the configuration file. Without a named file it reads defaultFile, if that
// exists.
func (a *app) readConfig() (config, error) {
	chosen, err := a.chooseConfig()
	if err != nil {
		return config{}, err
	}
	a.usedContext = chosen.context
	cfg, err := a.readChosen(chosen)
	if err == nil && cfg.context != "" {
		a.usedLedger = a.describeTarget(cfg)
	}
	return cfg, err
}

// readChosen reads a chosen configuration file.
func (a *app) readChosen(chosen configChoice) (config, error) {
	file := chosen.file
	content, err := os.ReadFile(file)
	switch {
	case err != nil && !chosen.isNamed && errors.Is(err, os.ErrNotExist):
		return config{}, a.checkSingleLedger(config{})
	case err != nil:
		return config{}, fmt.Errorf("%w: configuration: %w", errUsage, err)
	}
	cfg, err := parseConfig(content)
	if err != nil {
		return config{}, &fileError{file, err}
	}
	cfg.file, cfg.context = file, chosen.context
	if err := a.checkContext(cfg); err != nil {
		return cfg, err
	}
	return cfg, a.checkSingleLedger(cfg)
}

// fileError is an error in the content of a configuration file. It matches [errUsage].
type fileError struct {
	file string
	err  error
}

func (e *fileError) Error() string        { return e.file + ": " + e.err.Error() }
func (e *fileError) Unwrap() error        { return e.err }
func (e *fileError) Is(target error) bool { return target == errUsage }

// goType matches the part of a YAML error that names our Go types.
var goType = regexp.MustCompile(` (in type|into) [\w.*\[\]]+`)

// parseConfig reads and validates a configuration. Unknown fields are errors.
func parseConfig(content []byte) (cfg config, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&cfg); err != nil && !errors.Is(err, io.EOF) { // io.EOF: the file is empty
		return cfg, errors.New(goType.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), ""))
	}
	return cfg, cfg.validate()
}

// toBookConfig returns the configuration of an [accounts.Book].
func (c config) toBookConfig() accounts.Config {
	cfg := accounts.Config{Namespace: c.Namespace}
	for _, asset := range c.Assets {
		cfg.Assets = append(cfg.Assets, asset.toAsset())
	}
	return cfg
}

// findAsset finds an asset by its code, or by code and scale. "" is the only asset.
func (c config) findAsset(name string) (accounts.Asset, error) {
	var found []accounts.Asset
	for _, asset := range c.toBookConfig().Assets {
		if matchesAsset(asset, name) {
			found = append(found, asset)
		}
	}
	switch {
	case len(c.Assets) == 0:
		return accounts.Asset{}, fmt.Errorf("%w: no assets are configured: list them under assets: in %s; peerledger config init writes a first file", errUsage, c.fileName())
	case len(found) == 1:
		return found[0], nil
	case name == "":
		return accounts.Asset{}, fmt.Errorf("%w: say which asset: %s", errUsage, c.joinAssetNames())
	case len(found) == 0:
		return accounts.Asset{}, fmt.Errorf("%w: there is no asset %q; there is %s", errUsage, name, c.joinAssetNames())
	default:
		return accounts.Asset{}, fmt.Errorf("%w: %q is more than one asset; say which, as in %v", errUsage, name, found[0])
	}
}

// matchesAsset reports whether name is the asset's code, its code and scale, or "".
func matchesAsset(asset accounts.Asset, name string) bool {
	return name == "" || name == asset.Code || name == asset.String()
}

// fileName returns the path of the configuration file, for messages.
func (c config) fileName() string {
	if c.file == "" {
		return defaultFile
	}
	return c.file
}

// joinAssetNames lists the configured assets, for messages.
func (c config) joinAssetNames() string {
	var names []string
	for _, asset := range c.toBookConfig().Assets {
		names = append(names, asset.String())
	}
	return strings.Join(names, ", ")
}

// parsePeer returns the peer as [accounts.Book.Provision] takes it.
func (p peerConfig) parsePeer(asset accounts.Asset) (accounts.PeerConfig, error) {
	peer := accounts.PeerConfig{ID: p.ID, Asset: asset}
	if p.CreditLine == "" {
		return peer, nil
	}
	var err error
	peer.CreditLine, err = parseLine(asset, p.CreditLine)
	return peer, err
}

// parsePolicy returns the policy of settle_at and settle_to; nil if the peer is never paid.
func (p peerConfig) parsePolicy(asset accounts.Asset) (settlement.Policy, error) {
	if p.SettleAt == "" {
		if p.SettleTo != "" {
			return nil, errors.New("settle_to is given without settle_at")
		}
		return nil, nil //nolint:nilnil // no policy is a valid result
	}
	at, err := parseSigned(asset, p.SettleAt)
	to := new(big.Int)
	if err == nil && p.SettleTo != "" {
		to, err = parseSigned(asset, p.SettleTo)
	}
	if err != nil {
		return nil, err
	}
	if at.Cmp(to) <= 0 {
		return nil, fmt.Errorf("settle_to, %s, must be below settle_at, %s", formatSigned(asset, to), formatSigned(asset, at))
	}
	if at.Sign() < 0 || to.Sign() < 0 {
		ahead := settlement.Prefund{PrefundThreshold: at, SettleTo: to}
		return ahead, ahead.Validate()
	}
	t := settlement.Threshold{SettleThreshold: ledger.ClampAmount(at), SettleTo: ledger.ClampAmount(to)}
	return t, t.Validate()
}

// parseSigned reads an amount in whole units that may be negative.
func parseSigned(asset accounts.Asset, text string) (*big.Int, error) {
	size, below := strings.CutPrefix(text, "-")
	amount, err := asset.Parse(size)
	if err != nil {
		return nil, err
	}
	units := amount.Big()
	if below {
		units.Neg(units)
	}
	return units, nil
}

// resolveCluster returns the cluster that flags, environment or file name. Flags override the
// environment, and the environment overrides the file.
func (a *app) resolveCluster(file config) (cluster.Config, error) {
	cfg := cluster.Config{Sessions: 1, OpenTimeout: a.timeout, Addresses: file.Addresses}
	id := file.ClusterID
	if a.isClusterInEnv() && (a.clusterID == "" || len(a.addresses) == 0) {
		env, err := cluster.ConfigFromEnv()
		if err != nil {
			return cfg, fmt.Errorf("%w: environment: %w", errUsage, err)
		}
		cfg.Addresses, id = env.Addresses, env.ClusterID.String()
	}
	if a.clusterID != "" {
		id = a.clusterID
	}
	if len(a.addresses) > 0 {
		cfg.Addresses = a.addresses
	}
	if id == "" && len(cfg.Addresses) == 0 {
		return cfg, fmt.Errorf("%w: %w: set TIGERBEETLE_CLUSTER_ID and TIGERBEETLE_ADDRESSES, or cluster_id and addresses in %s, or give --cluster-id and --addresses, or --folder", errUsage, errNoLedger, file.fileName())
	}
	number, err := parseClusterID(id)
	if err != nil {
		return cfg, err
	}
	cfg.ClusterID = number
	if err := cfg.Validate(); err != nil {
		return cfg, fmt.Errorf("%w: %w", errUsage, err)
	}
	return cfg, nil
}

// parseClusterID reads the id of a cluster.
func parseClusterID(text string) (uint128.Uint128, error) {
	id, err := ledger.ParseAmount(text)
	if err != nil {
		return uint128.Uint128{}, fmt.Errorf("%w: cluster id %q is not a decimal number from 0 to 2^128-1", errUsage, text)
	}
	return uint128.Uint128(id), nil
}
