package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/progress"
)

// errInFlight is returned when a suspended peer still has packets in flight after the time to wait.
var errInFlight = errors.New("the peer is suspended, and its packets are still in flight")

// readWaitFlag returns what follows the change of a command with the flag --wait; nil without the flag.
func (s *session) readWaitFlag(cmd *cobra.Command, account accounts.PeerAccount) (func(*change) error, error) {
	if flag := cmd.Flags().Lookup("wait"); flag == nil || !flag.Changed {
		return nil, nil
	}
	limit, err := cmd.Flags().GetDuration("wait")
	if err != nil || limit <= 0 {
		return nil, errors.Join(fmt.Errorf("%w: --wait must be above 0, not %v", errUsage, limit), err)
	}
	return func(c *change) error { return s.waitForHolds(cmd.Context(), c, account, limit) }, nil
}

// waitForHolds waits up to limit until no packet of a suspended peer is in flight, and notes the time that it took.
func (s *session) waitForHolds(ctx context.Context, c *change, account accounts.PeerAccount, limit time.Duration) (err error) {
	shown := progress.New(s.stderr, s.stderrIsTerminal && !s.json, "waiting for packets in flight", 0)
	shown.Start(1)
	defer func() { shown.Stop(err) }()
	errTime := fmt.Errorf("waited %v", limit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTime)
	defer cancel()
	began := time.Now()
	err = s.book.WaitForHolds(ctx, account)
	switch {
	case err == nil:
		c.Note = joinNotes(c.Note, fmt.Sprintf("Every connector has seen it, and no packet of the peer is in flight, after %v.", time.Since(began).Round(time.Millisecond)))
		return nil
	case errors.Is(err, accounts.ErrHeld), errors.Is(err, errTime):
		return fmt.Errorf("%w (peerledger holds %s --asset %s): %w", errInFlight, account.Peer(), c.Asset, err)
	default:
		return fmt.Errorf("the peer was suspended; waiting for its packets: %w", err)
	}
}
