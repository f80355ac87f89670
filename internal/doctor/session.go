package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// sessionTimeout bounds all checks that need the session.
const sessionTimeout = 30 * time.Second

// examineSession opens a session and sends a look-up.
func (s Subject) examineSession(ctx context.Context, r *Report) {
	if s.Open == nil {
		r.addFinding(NoClient, "session", "not tried")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	defer cancel()
	began := time.Now()
	session, err := s.Open(ctx)
	if err != nil {
		r.addFinding(SessionFails, "session", err.Error())
		return
	}
	defer func() { _ = session.Close() }() // the error is always nil
	opened := time.Since(began)
	began = time.Now()
	if _, err := session.LookupAccounts(ctx, []ledger.ID{ledger.NewID(1, 0)}); err != nil {
		r.addFinding(SessionFails, "session", err.Error())
		return
	}
	r.addFinding(SessionWorks, "session", fmt.Sprintf("open after %v, a look-up took %v",
		opened.Round(time.Millisecond), time.Since(began).Round(10*time.Microsecond)))
	if batchMax := session.BatchMax(); batchMax < ledger.BatchMax {
		r.addFinding(SmallRequests, "limits", fmt.Sprintf("%d events in a request, of at most %d", batchMax, ledger.BatchMax))
	} else {
		r.addFinding(LimitsKnown, "limits", fmt.Sprintf(
			"%d events in a request; 64 sessions, and 32 connections to each replica unless it was started with other limits", batchMax))
	}
	s.examineClock(ctx, session, r)
	s.examineBooks(ctx, session, r)
	s.checkRounds(ctx, session, r)
}

// clockTolerance is the harmless difference between clocks: timeouts are whole seconds.
const clockTolerance = time.Second

// examineClock compares the newest rows with this machine's clock. The ledger has no other way to
// show its time.
func (s Subject) examineClock(ctx context.Context, session ledger.Ledger, r *Report) {
	newest := ledger.QueryFilter{Limit: 1, Flags: ledger.QueryFilterReversed}
	var at uint64
	if rows, err := session.QueryAccounts(ctx, newest); err == nil && len(rows) > 0 {
		at = rows[0].Timestamp
	}
	if rows, err := session.QueryTransfers(ctx, newest); err == nil && len(rows) > 0 {
		at = max(at, rows[0].Timestamp)
	}
	if at == 0 {
		r.addFinding(ClockPlausible, "clock", "the ledger is empty, so there is no timestamp to compare")
		return
	}
	age := s.Now().Sub(time.Unix(0, int64(at)))
	if age < -clockTolerance {
		r.addFinding(ClockBehind, "clock", fmt.Sprintf("the newest row is from %v in this machine's future", -age.Round(time.Millisecond)))
		return
	}
	r.addFinding(ClockPlausible, "clock", fmt.Sprintf("the newest row is %v old", age.Round(time.Second)))
}
