package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/bankfile"
)

// defaultBankState is the file of the bank accounts' books, beside the configuration.
const defaultBankState = "peerledger.bank.json"

// bankConfig is a bank account in the configuration file.
type bankConfig struct {
	Name     string            `yaml:"name"`
	ID       string            `yaml:"id"`       // IBAN, or the bank's own number
	Currency string            `yaml:"currency"` // as in the bank's files; "" is the asset's code
	Asset    string            `yaml:"asset"`    // as in USD or USD/9; "" is the only asset
	Books    string            `yaml:"books"`    // camt.053, camt.054, mt940 or csv
	From     string            `yaml:"from"`     // the first booking date that is booked, YYYY-MM-DD
	MT940    string            `yaml:"mt940"`    // how field 25 spells the account; "" is id
	CSV      *bankfile.Mapping `yaml:"csv"`
	Payers   []bankfile.Payer  `yaml:"payers"`
}

// toAccount returns the account as the files' reader takes it.
func (b bankConfig) toAccount(asset accounts.Asset) bankfile.Account {
	currency := b.Currency
	if currency == "" {
		currency = asset.Code
	}
	return bankfile.Account{
		ID: strings.Join(strings.Fields(b.ID), ""), Currency: currency, Scale: int(asset.Scale), Books: bankfile.Kind(b.Books), From: b.From, MT940: b.MT940,
	}
}

// bankState returns the path of the bank accounts' books.
func (c config) bankState() string {
	if c.BankState != "" {
		return c.BankState
	}
	return filepath.Join(filepath.Dir(c.fileName()), defaultBankState)
}

// findBankAccount finds a bank account by its name. "" is the only account.
func (c config) findBankAccount(name string) (bankConfig, error) {
	var names []string
	for _, b := range c.BankAccounts {
		if b.Name == name || name == "" && len(c.BankAccounts) == 1 {
			return b, nil
		}
		names = append(names, b.Name)
	}
	if len(names) == 0 {
		return bankConfig{}, fmt.Errorf("%w: no bank accounts are configured: list them under bank_accounts: in %s", errUsage, c.fileName())
	}
	return bankConfig{}, fmt.Errorf("%w: there is no bank account %q; --account takes one of %q", errUsage, name, names)
}

// validateBankAccounts returns the errors in the bank accounts.
func (c config) validateBankAccounts() (errs []error) {
	names, ids := map[string]bool{}, map[string]bool{}
	for i, b := range c.BankAccounts {
		fault := func(field string, err error) {
			errs = append(errs, faultIn(fmt.Errorf("bank_accounts[%d] (%s): %s: %w", i, b.Name, field, err), "bank_accounts", i, field))
		}
		if b.Name == "" || names[b.Name] {
			fault("name", errors.New("missing, or of two accounts"))
		}
		names[b.Name] = true
		asset, err := c.findAsset(b.Asset)
		if err != nil {
			fault("asset", err)
			continue
		}
		account := b.toAccount(asset)
		if err := account.Validate(); err != nil {
			fault("id", err)
		}
		if id := account.ID + " " + account.Currency; ids[id] {
			fault("id", errors.New("another bank account has the same id and currency"))
		} else {
			ids[id] = true
		}
		for _, err := range b.checkMapping() {
			var at *mappingFault
			if errors.As(err, &at) {
				fault(at.field, at.err)
			}
		}
	}
	return errs
}
