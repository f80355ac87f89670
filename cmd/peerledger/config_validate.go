package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/peerledger/peerledger/accounts"
)

// validate returns all errors in assets, peers, limits and engines.
func (c config) validate() error {
	var errs []error
	seen := map[string]bool{}
	for i, p := range c.Peers {
		asset, err := c.findAsset(p.Asset)
		if err != nil {
			errs = append(errs, faultIn(fmt.Errorf("peers[%d] (%s): asset: %w", i, p.ID, err), "peers", i, "asset"))
			continue
		}
		if key := asset.String() + " " + p.ID; seen[key] {
			errs = append(errs, faultIn(fmt.Errorf("peers[%d]: %s in %v is listed twice", i, p.ID, asset), "peers", i, "id"))
		} else {
			seen[key] = true
		}
		if _, err := p.parsePeer(asset); err != nil {
			errs = append(errs, faultIn(fmt.Errorf("peers[%d] (%s): credit_line: %w", i, p.ID, err), "peers", i, "credit_line"))
		}
		if _, err := p.parsePolicy(asset); err != nil {
			errs = append(errs, faultIn(fmt.Errorf("peers[%d] (%s): settle_at, settle_to: %w", i, p.ID, err), "peers", i, "settle_at"))
		}
	}
	errs = append(errs, c.validateAssets()...)
	errs = append(errs, c.validateReasons()...)
	errs = append(errs, c.validateBankAccounts()...)
	if _, err := c.parseLimits(); err != nil {
		errs = append(errs, err)
	}
	if err := c.EngineReports.Token.checkSource(); err != nil {
		errs = append(errs, faultAt(fmt.Errorf("engine_reports: token: %w", err), "engine_reports", "token"))
	}
	return errors.Join(append(errs, c.validateEngines())...)
}

// validateAssets returns the errors in the assets, each once.
func (c config) validateAssets() (errs []error) {
	seen := map[string]bool{}
	for i := range c.Assets { // the first asset with an error is the last of the shortest such list
		err := accounts.Config{Assets: c.toBookConfig().Assets[:i+1]}.Validate()
		if err == nil {
			continue
		}
		for _, e := range flattenErrors(err) {
			if seen[e.Error()] {
				continue
			}
			seen[e.Error()] = true
			field := ""
			if fault, ok := errors.AsType[*accounts.FieldError](e); ok {
				field = strings.ToLower(fault.Field)
			}
			errs = append(errs, faultIn(e, "assets", i, field))
		}
	}
	return errs
}
