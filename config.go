package peerledger

import (
	"errors"
	"reflect"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// Config is the configuration of a [Client]. Only Accounts.Assets is required.
type Config struct {
	// Accounts lists the assets, and has the namespace that separates this deployment's accounts
	// from others on the same ledger. Accounts.Assets has no default.
	Accounts accounts.Config
	// Recorder configures a recorder that writes each packet. Recorder.Events.BalancesChanged is called before the
	// Client's own callback. Default: see [transfers.Config].
	Recorder transfers.Config
	// Rounds configures a recorder that writes rounds, the sums of many packets, in the place of
	// Recorder, which must be zero then. Rounds.Events.BalancesChanged is called before the Client's
	// own callback. Package aggregate tells when to use it. Default: nil, each packet is written.
	Rounds *aggregate.Config
	// Settlement configures when and how peers are paid. Default: no peer is paid.
	Settlement settlement.Config
}

// Validate returns all errors in the configuration at once. They match [accounts.ErrInvalid] and
// name the field.
func (c Config) Validate() error {
	errs := []error{c.Accounts.Validate(), c.Recorder.Validate(), c.Settlement.Validate()}
	if c.Rounds != nil {
		errs = append(errs, c.Rounds.Validate())
		if !reflect.ValueOf(c.Recorder).IsZero() {
			errs = append(errs, &accounts.FieldError{Subject: "client config", Field: "Recorder", Reason: "must not be set with Rounds"})
		}
	}
	return errors.Join(errs...)
}
