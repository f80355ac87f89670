package bench

import (
	"context"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// target provides the ledger for the measurements.
type target interface {
	// prepareTarget returns the ledger, opened with a number of sessions.
	prepareTarget(ctx context.Context, sessions int) (preparedTarget, error)
	closeTarget() error
}

// preparedTarget is the ledger for one measurement.
type preparedTarget struct {
	ledger        ledger.Ledger // with the sessions, for the recorder
	connections   []connection  // one per session, without this library
	batchMax      int           // transfers per request
	isNew         bool          // the ledger is empty, and closePrepared closes it
	closePrepared func() error
}

// connection sends one request, as an application without this library does.
type connection func(context.Context, []ledger.Transfer) ([]ledger.CreateTransferResult, error)

func openTarget(opts options) (target, error) {
	if opts.ledger == "cluster" {
		return openCluster(opts.cluster)
	}
	return embeddedTarget{opts}, nil
}

// embeddedTarget makes a new ledger for each measurement. An embedded ledger keeps everything in
// memory, so a kept one would be larger in the last measurement than in the first.
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
