package peerledger_test

import (
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// A client's engine holds the reservations of its recorder of rounds back.
var _ settlement.Reservations = (*aggregate.Recorder)(nil)
