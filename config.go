package peerledger

import (
	"errors"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// Config is the configuration of a [Client]. Only Accounts.Assets is required.
type Config struct {
	// Accounts lists the assets, and has the namespace that separates this deployment's accounts
	// from others on the same ledger. Accounts.Assets has no default.
	Accounts accounts.Config
	// Recorder configures the recording of packets. Recorder.Events.BalancesChanged is called before the Client's
	// own callback. Default: see [transfers.Config].
	Recorder transfers.Config
	// Settlement configures when and how peers are paid. Default: no peer is paid.
	Settlement settlement.Config
}

// Validate returns all errors in the configuration at once. They match [accounts.ErrInvalid] and
// name the field.
func (c Config) Validate() error {
	return errors.Join(c.Accounts.Validate(), c.Recorder.Validate(), c.Settlement.Validate())
}
