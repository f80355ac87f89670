package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/internal/trace"
	"github.com/peerledger/peerledger/settlement"
)

// replayTrace replays a trace into a new ledger and reports the books.
func replayTrace(ctx context.Context, tr *trace.Trace, opts *Replay, shown progress.Progress) (rep *report, err error) {
	client, handles, err := openClient(ctx, tr, opts)
	if err != nil {
		return nil, fmt.Errorf("%s:1: %w", tr.Name, err) // the config line has all settings of the client
	}
	defer func() { err = errors.Join(err, client.Close(ctx)) }()

	rep = &report{trace: tr, engine: opts.engine}
	passes := 1
	if opts.replayTwice {
		passes = 2
	}
	shown.Start(passes * len(tr.Events))
	defer func() { shown.Stop(err) }()
	for range passes {
		pass := newPass(tr, client, handles, opts.engine, shown)
		if err := pass.runPass(ctx); err != nil {
			return nil, err
		}
		rep.passes = append(rep.passes, pass.tally)
	}
	if err := rep.readBooks(ctx, client, handles); err != nil {
		return nil, err
	}
	return rep, nil
}

// tally counts the operations of a pass.
type tally struct {
	forwarded int // packets
	moving    int // packets with an amount
	applied   int // operations new to the ledger
	repeated  int // operations already in the books
	elapsed   time.Duration
	refused   []error
	payments  []settlement.Payment
	fulfilled map[string]int // by the sender of the packet
	rejected  map[string]int
}
