package accounts

import (
	"context"
	"fmt"
	"time"
)

// WaitForHolds waits until no packet holds an amount of a suspended peer. Every connector refuses new
// packets of the peer one [Config.SuspensionPollInterval] after the suspension, and a packet that it took
// just before then shows as a hold. So the call looks at the balance once an interval, and returns
// when two looks one after the other have found nothing held and nothing reserved. Open settlement orders and
// announced payments do not count.
//
// If ctx ends before, the error has the cause, and a *[HeldError] ([ErrHeld]) if something was held at the
// last look. A peer that another operator resumes meanwhile, or that was never suspended, is
// [ErrNotSuspended]. The remaining errors are as for [Book.LookUpBalance].
func (b *Book) WaitForHolds(ctx context.Context, account PeerAccount) error {
	ticker := time.NewTicker(b.pollInterval)
	defer ticker.Stop()
	var last Balance
	for released := 0; released < 2; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return stillHeld(account, last, context.Cause(ctx))
		}
		balance, err := b.LookUpBalance(ctx, account)
		switch {
		case err != nil && ctx.Err() != nil:
			return stillHeld(account, last, context.Cause(ctx))
		case err != nil:
			return err
		case !balance.Suspended && !balance.Closed:
			return wrapAccount(account, ErrNotSuspended)
		case balance.HeldIn.IsZero() && balance.HeldOut.IsZero():
			released++
		default:
			released = 0
		}
		last = balance
	}
	return nil
}

// stillHeld is the error of a wait that ended too early. The zero balance stands for no look at all.
func stillHeld(account PeerAccount, last Balance, cause error) error {
	if last.Account != account {
		return fmt.Errorf("wait for the packets of %v: %w", account, cause)
	}
	if last.HeldIn.IsZero() && last.HeldOut.IsZero() {
		return fmt.Errorf("nothing of %v was held at the last look, which one more must confirm: %w", account, cause)
	}
	return fmt.Errorf("%w: %w", heldError(last), cause)
}
