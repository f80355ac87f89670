package peerledger

import (
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
	// Recorder says how packets are recorded. Its Touched is called before the
	// Client's own. Default: see transfers.Config.
	Recorder transfers.Config
	// Settlement says when peers are paid and by whom. Default: nobody is.
	Settlement settlement.Config
}
