package bench

import (
	"context"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// target is the ledger that everything is measured on.
type target interface {
	// prepareTarget is the ledger with a number of sessions.
	prepareTarget(ctx context.Context, sessions int) (preparedTarget, error)
	closeTarget() error
}

// preparedTarget is the ledger as one measurement uses it.
type preparedTarget struct {
	ledger        ledger.Ledger // with so many sessions, for the recorder
	connections   []connection  // as many connections without this library
	batchMax      int           // transfers in a request
	isNew         bool          // an empty ledger, which end ends
	closePrepared func() error
}

// connection sends one request, as an application without this library would.
type connection func(context.Context, []ledger.Transfer) ([]ledger.CreateTransferResult, error)

func openTarget(opts options) (target, error) {
	if opts.ledger == "cluster" {
		return openCluster(opts.cluster)
	}
	return embeddedTarget{opts}, nil
}

// embeddedTarget gives each measurement a ledger of its own: all of an embedded
// ledger is in memory, and the last measurement should not find more of it than the
// first.
type embeddedTarget struct{ opts options }

func (s embeddedTarget) prepareTarget(_ context.Context, sessions int) (preparedTarget, error) {
	var l ledger.Ledger = embedded.New()
	if s.opts.delay > 0 {
		l = delayed{Ledger: l, delay: s.opts.delay}
	}
	raw := make([]connection, sessions)
	for i := range raw {
		raw[i] = l.CreateTransfers
	}
	return preparedTarget{ledger: l, connections: raw, batchMax: ledger.BatchMax, isNew: true, closePrepared: l.Close}, nil
}

func (embeddedTarget) closeTarget() error { return nil }
