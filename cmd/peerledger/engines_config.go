package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// engineConfig is a settlement engine of RFC 0038 in the configuration file. It pays the peers in
// Assets that name no other engine, and the peers that name it.
type engineConfig struct {
	Name   string       `yaml:"name"` // also the name of the rail in the orders
	URL    string       `yaml:"url"`
	Assets []string     `yaml:"assets"`
	Token  secretConfig `yaml:"token"`
	Header headerConfig `yaml:"header"`
	CAFile string       `yaml:"ca_file"` // "": the system's authorities
	// Scale is the one of the engine's smallest amounts; nil is the asset's.
	Scale       *uint8        `yaml:"scale"`
	Timeout     time.Duration `yaml:"timeout"`      // of a request; 0 is 30 s
	KeyLifetime string        `yaml:"key_lifetime"` // a duration, or "forever"; "" is 23h
	// WakeEvery is the time between two repeats of the newest settlement of each account, for an engine that
	// pays what it has queued only when a request comes; 0 is never.
	WakeEvery time.Duration `yaml:"wake_every"`
}

// secretConfig names the place of a secret: a file or a variable of the environment.
type secretConfig struct {
	File string `yaml:"file"`
	Env  string `yaml:"env"`
}

// headerConfig is a header with a secret.
type headerConfig struct {
	Name   string       `yaml:"name"`
	Secret secretConfig `yaml:",inline"`
}

// reportsConfig is the address where engines report payments to "engines run".
type reportsConfig struct {
	Address string       `yaml:"address"` // "" is 127.0.0.1:7771
	Token   secretConfig `yaml:"token"`
}

// noEngine is the engine of a peer that is paid in another way.
const noEngine = "none"

// forever is the key_lifetime of an engine that never forgets a key.
const forever = "forever"

// maxScaleDifference is the largest difference of scales that [rfc0038.SettlerConfig] takes.
const maxScaleDifference = 19

// validateEngines returns all errors in the engines, and in the peers' use of them.
func (c config) validateEngines() error {
	var errs []error
	names, served := map[string]bool{}, map[accounts.Asset]string{}
	for i, e := range c.Engines {
		add := func(field string, err error) {
			if err != nil {
				errs = append(errs, faultIn(fmt.Errorf("engines[%d] (%s): %s: %w", i, e.Name, field, err), "engines", i, field))
			}
		}
		add("name", checkEngineName(e.Name, names))
		names[e.Name] = true
		for _, name := range e.Assets {
			asset, err := c.findAsset(name)
			if err == nil && served[asset] != "" {
				err = fmt.Errorf("%v is served by engine %s already: name the engine in the entries of its peers", asset, served[asset])
			}
			if add("assets", err); err == nil {
				served[asset] = e.Name
				add("scale", e.checkScale(asset))
			}
		}
		e.checkFields(add)
	}
	for i, p := range c.Peers {
		if err := c.checkEngineOf(p, names); err != nil {
			field, _, _ := strings.Cut(err.Error(), ":") // checkEngineOf begins with the field
			errs = append(errs, faultIn(fmt.Errorf("peers[%d] (%s): %w", i, p.ID, err), "peers", i, field))
		}
	}
	if len(errs) > 0 || len(c.Engines) == 0 || len(c.validateAssets()) > 0 {
		return errors.Join(errs...)
	}
	_, err := c.newAccountIDs()
	return err
}

func checkEngineName(name string, taken map[string]bool) error {
	switch {
	case name == "":
		return errors.New("is missing")
	case name == noEngine:
		return errors.New(`must not be "none", which means no engine`)
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%q must be printable ASCII without spaces", name)
	case name == execRail:
		return fmt.Errorf("%q is the rail of --pay-with", name)
	case taken[name]:
		return fmt.Errorf("%s is listed twice", name)
	default:
		return nil
	}
}

// checkFields checks the fields that concern neither assets nor peers.
func (e engineConfig) checkFields(add func(field string, err error)) {
	add("url", reasonOf(rfc0038.ClientConfig{URL: e.URL}.Validate()))
	add("token", e.Token.checkSource())
	add("header", e.Header.checkSource())
	if e.CAFile != "" && !strings.HasPrefix(e.URL, "https:") {
		add("ca_file", errors.New("is given, and the url is no https"))
	}
	add("timeout", reasonOf(rfc0038.ClientConfig{URL: "http://x", Timeout: e.Timeout}.Validate()))
	_, err := e.parseKeyLifetime()
	add("key_lifetime", err)
	if e.WakeEvery != 0 && e.WakeEvery < time.Second {
		add("wake_every", fmt.Errorf("must be at least 1s, not %v", e.WakeEvery))
	}
}

// reasonOf returns the reason of a field's error without the name of the field.
func reasonOf(err error) error {
	if fault, ok := errors.AsType[*accounts.FieldError](err); ok {
		return errors.New(fault.Reason)
	}
	return err
}

func (e engineConfig) checkScale(asset accounts.Asset) error {
	if e.Scale == nil || max(*e.Scale, asset.Scale)-min(*e.Scale, asset.Scale) <= maxScaleDifference {
		return nil
	}
	return fmt.Errorf("%d is more than %d away from %v", *e.Scale, maxScaleDifference, asset)
}

// parseKeyLifetime returns key_lifetime as [rfc0038.SettlerConfig] takes it.
func (e engineConfig) parseKeyLifetime() (time.Duration, error) {
	switch e.KeyLifetime {
	case "":
		return 0, nil
	case forever:
		return -1, nil
	}
	d, err := time.ParseDuration(e.KeyLifetime)
	if err == nil && d <= 0 {
		err = errors.New("must be above 0")
	}
	if err != nil {
		return 0, fmt.Errorf("%q is neither a duration such as 23h nor %q: %w", e.KeyLifetime, forever, err)
	}
	return d, nil
}

// checkEngineOf checks a peer's use of engines. A threshold without an engine would never be paid.
func (c config) checkEngineOf(p peerConfig, names map[string]bool) error {
	if p.Engine != "" && p.Engine != noEngine && !names[p.Engine] {
		return fmt.Errorf("engine: there is no engine %q; engines: lists them", p.Engine)
	}
	asset, err := c.findAsset(p.Asset)
	if err != nil {
		return nil //nolint:nilerr // validate reports unknown assets
	}
	e, found := c.findEngine(p, asset)
	switch {
	case !found && p.EngineAccount != "":
		return errors.New("engine_account: the peer has no engine")
	case !found && p.SettleAt != "" && len(c.Engines) > 0 && p.Engine != noEngine:
		return fmt.Errorf("settle_at: no engine pays the peer: add %v to the assets of an engine, or name one with engine:; engine: none if the peer is paid in another way", asset)
	case found:
		if err := e.checkScale(asset); err != nil {
			return fmt.Errorf("engine: scale of %s: %w", e.Name, err)
		}
		if policy, err := p.parsePolicy(asset); err == nil && policy != nil {
			if raised, ok := e.raiseToUnit(policy, asset).(settlement.AtLeast); ok && raised.Validate() != nil {
				return fmt.Errorf("settle_at, settle_to: engine %s pays whole units of %s, so settle_at less settle_to must be at least that", e.Name, asset.Text(raised.Amount))
			}
		}
	}
	return nil
}

// findEngine returns the engine that pays a peer; false if there is none.
func (c config) findEngine(p peerConfig, asset accounts.Asset) (engineConfig, bool) {
	for _, e := range c.Engines {
		if p.Engine == e.Name || p.Engine == "" && c.serves(e, asset) {
			return e, true
		}
	}
	return engineConfig{}, false
}

// serves reports whether an engine pays the peers in an asset that name no engine.
func (c config) serves(e engineConfig, asset accounts.Asset) bool {
	for _, name := range e.Assets {
		if found, err := c.findAsset(name); err == nil && found == asset {
			return true
		}
	}
	return false
}

// newAccountIDs returns the names of accounts on the wire. They depend on the configuration alone, so
// no ledger is needed.
func (c config) newAccountIDs() (*rfc0038.AccountIDs, error) {
	book, err := c.newOfflineBook()
	if err != nil {
		return nil, err
	}
	fixed := map[string]accounts.PeerAccount{}
	for i, p := range c.Peers {
		asset, err := c.findAsset(p.Asset)
		if err != nil || p.EngineAccount == "" {
			continue // validate reports unknown assets
		}
		account, err := book.PeerAccount(p.ID, asset)
		if err != nil {
			return nil, err
		}
		if other, taken := fixed[p.EngineAccount]; taken {
			return nil, faultIn(fmt.Errorf("peers[%d] (%s): engine_account: %q is the account of %v too", i, p.ID, p.EngineAccount, other), "peers", i, "engine_account")
		}
		fixed[p.EngineAccount] = account
	}
	ids, err := rfc0038.NewAccountIDs(book, fixed)
	if err != nil {
		return nil, fmt.Errorf("peers: engine_account: %w", err)
	}
	return ids, nil
}

// newOfflineBook returns a book that makes accounts from names, without the ledger.
func (c config) newOfflineBook() (*accounts.Book, error) {
	return accounts.NewBook(embedded.New(), c.toBookConfig())
}

func (s secretConfig) checkSource() error {
	if s.File != "" && s.Env != "" {
		return errors.New("give file or env, not both")
	}
	return nil
}

func (h headerConfig) checkSource() error {
	switch {
	case (h.Name == "") != (h.Secret == secretConfig{}):
		return errors.New("give name, and file or env")
	case h.Name == "":
		return nil
	}
	probe := rfc0038.ClientConfig{URL: "http://x", HeaderName: h.Name, HeaderValue: "x"}
	return errors.Join(h.Secret.checkSource(), reasonOf(probe.Validate()))
}

// readSecret reads a secret; "" if the configuration names none.
func (a *app) readSecret(s secretConfig) (string, error) {
	switch {
	case s.File != "":
		content, err := os.ReadFile(s.File)
		if err != nil {
			return "", err
		}
		secret := strings.TrimSpace(string(content))
		if secret == "" {
			return "", fmt.Errorf("%s is empty", s.File)
		}
		return secret, nil
	case s.Env != "":
		secret := a.getenv(s.Env)
		if secret == "" {
			return "", fmt.Errorf("the variable %s is not set", s.Env)
		}
		return secret, nil
	default:
		return "", nil
	}
}

// statusFile returns the file to which "engines run" writes the state of its engines.
func (c config) statusFile() string {
	if c.EnginesStatus != "" {
		return c.EnginesStatus
	}
	return filepath.Join(filepath.Dir(c.fileName()), "peerledger.engines.json")
}
