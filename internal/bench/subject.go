package bench

import (
	"context"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// target is the ledger that everything is measured on.
type target interface {
	// prepareTarget is the ledger with a number of sessions.
	prepareTarget(ctx context.Context, sessions int) (stage, error)
	closeTarget() error
}

// stage is the ledger as one measurement uses it.
type stage struct {
	ledger   ledger.Ledger // with so many sessions, for the recorder
	raw      []send        // as many connections without this library
	batchMax int           // transfers in a request
	fresh    bool          // an empty ledger, which end ends
	end      func() error
}

// send sends one request, as an application without this library would.
type send func(context.Context, []ledger.Transfer) ([]ledger.CreateTransferResult, error)

func openSubject(opts options) (target, error) {
	if opts.ledger == "cluster" {
		return openCluster(opts.cluster)
	}
	return embeddedTarget{opts}, nil
}

// embeddedTarget gives each measurement a ledger of its own: all of an embedded
// ledger is in memory, and the last measurement should not find more of it than the
// first.
type embeddedTarget struct{ opts options }

func (s embeddedTarget) prepareTarget(_ context.Context, sessions int) (stage, error) {
	var l ledger.Ledger = embedded.New()
	if s.opts.delay > 0 {
		l = delayed{Ledger: l, delay: s.opts.delay}
	}
	raw := make([]send, sessions)
	for i := range raw {
		raw[i] = l.CreateTransfers
	}
	return stage{ledger: l, raw: raw, batchMax: ledger.BatchMax, fresh: true, end: l.Close}, nil
}

func (embeddedTarget) closeTarget() error { return nil }
