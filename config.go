package peerledger

import (
	"errors"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// Config says what a Client keeps and how. Only Assets must be given.
type Config struct {
	// Accounts says which assets there are, and what keeps this deployment's
	// accounts apart from others' on the same ledger. Accounts.Assets has no
	// default.
	Accounts accounts.Config
	// Recorder says how packets are recorded. Its Events.BalancesChanged is called
	// before the settlement engine is notified. Default: see transfers.Config.
	Recorder transfers.Config
	// Settlement says when peers are paid and by whom. Default: nobody is.
	Settlement settlement.Config
}

// Validate reports all that is wrong with the configuration at once, as errors
// that match accounts.ErrInvalid and name the field.
func (c Config) Validate() error {
	return errors.Join(c.Accounts.Validate(), c.Recorder.Validate(), c.Settlement.Validate())
}
