package main

import (
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// keepAwake repeats the newest settlement of each account of an engine in intervals, until ctx ends.
func (r *engineRunner) keepAwake(ctx context.Context, e *openEngine) error {
	list, err := r.cfg.listAccountsOf(e)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(e.cfg.WakeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.wakeAccounts(ctx, e, list)
		}
	}
}

// wakeAccounts repeats the newest settlement of each account once, under its key. If the engine does not answer, the
// other accounts wait for the next time.
func (r *engineRunner) wakeAccounts(ctx context.Context, e *openEngine, list []accounts.PeerAccount) {
	repeated := 0
	for _, account := range list {
		sent, err := e.settler.Wake(ctx, account)
		if err != nil && ctx.Err() == nil {
			r.log.Warn("the newest settlement is repeated later", "engine", e.cfg.Name, "peer", account.Peer(), "error", err)
		}
		if errors.Is(err, ledger.ErrOutcomeUnknown) {
			break
		}
		if sent && err == nil {
			repeated++
		}
	}
	if repeated > 0 {
		r.log.Info("the newest settlements were repeated", "engine", e.cfg.Name, "accounts", repeated)
	}
}
