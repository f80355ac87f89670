//go:build cgo

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"lukechampine.com/uint128"
)

// Cause is why a cluster may not have answered.
type Cause int

// The causes.
const (
	// CauseNothingListens: no address accepts TCP connections. The server is not
	// running, listens elsewhere, or a firewall is in between.
	CauseNothingListens Cause = iota + 1
	// CauseTooFewReplicas: fewer addresses accept connections than a cluster of so many
	// replicas needs to go on.
	CauseTooFewReplicas
	// CauseClusterID: the cluster was formatted with another id. Its log says so.
	CauseClusterID
	// CauseConnectionsTaken: all connections of the replicas for clients are taken.
	CauseConnectionsTaken
	// CauseClientRelease: the cluster does not serve clients of this release.
	CauseClientRelease
	// CauseBusy: the cluster is there and slow, or has no primary at the moment.
	CauseBusy
)

// String says what the cause is and what to do.
func (c Cause) String() string {
	texts := map[Cause]string{
		CauseNothingListens:   "nothing listens there (is the server running? are host and port right? is a firewall in between?)",
		CauseTooFewReplicas:   "too few replicas can be reached (start the others, or look at their addresses)",
		CauseClusterID:        "wrong cluster id (the server's log says so; it tells the client nothing)",
		CauseConnectionsTaken: "all client connections are taken (32 for each replica, 8 with --development; close some clients)",
		CauseClientRelease: fmt.Sprintf(
			"the cluster does not serve clients of release %s (its own must be that one, or a newer one that still serves it)", ClientRelease),
		CauseBusy: "the cluster is too slow or has no primary at the moment (its log says so)",
	}
	if text, ok := texts[c]; ok {
		return text
	}
	return fmt.Sprintf("Cause(%d)", int(c))
}

// OpenError is a cluster that could not be opened. It matches the error of the context
// that ended, or ErrClientRelease.
type OpenError struct {
	ClusterID uint128.Uint128
	Replicas  []ReplicaReport // in the order of the addresses
	Causes    []Cause         // the likely ones, the likeliest first
	Waited    time.Duration
	Native    []string // the last lines of the native client's log, where it has one; see Events.Log
	Err       error
}

// ReplicaReport is what trying the address of one replica has shown.
type ReplicaReport struct {
	Address  string         // as configured
	Resolved netip.AddrPort // where that is
	Tried    bool           // whether there was time to try it
	Err      error          // of connecting to it; nil if it accepts TCP connections
}

func (r ReplicaReport) String() string {
	text := r.Address
	if resolved := r.Resolved.String(); resolved != text {
		text += " (" + resolved + ")"
	}
	switch {
	case !r.Tried:
		return text + " was not tried"
	case r.Err != nil:
		return fmt.Sprintf("%s does not accept TCP: %v", text, r.Err)
	default:
		return text + " accepts TCP"
	}
}

func (e *OpenError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "cluster: cannot open cluster %v, tried for %v: %v", e.ClusterID, e.Waited.Round(time.Millisecond), e.Err)
	for i, r := range e.Replicas {
		fmt.Fprintf(&text, "; replica %d at %v", i, r)
	}
	for i, c := range e.Causes {
		fmt.Fprintf(&text, "; likely cause %d: %v", i+1, c)
	}
	for _, line := range e.Native {
		fmt.Fprintf(&text, "; the native client says %s", line)
	}
	return text.String()
}

// Unwrap returns why the wait ended.
func (e *OpenError) Unwrap() error { return e.Err }

func (l *Ledger) newOpenError(err error, waited time.Duration, replicas []ReplicaReport, causes []Cause) *OpenError {
	return &OpenError{
		ClusterID: l.cfg.ClusterID, Replicas: replicas, Causes: causes,
		Waited: waited, Native: l.nativeLog.lastLines(), Err: err,
	}
}

// likelyCauses judges by what accepts connections.
func likelyCauses(err error, replicas []ReplicaReport) []Cause {
	if errors.Is(err, ErrClientRelease) {
		return []Cause{CauseClientRelease}
	}
	tried, accept := 0, 0
	for _, r := range replicas {
		if r.Tried {
			tried++
		}
		if r.Tried && r.Err == nil {
			accept++
		}
	}
	answering := []Cause{CauseClusterID, CauseConnectionsTaken, CauseBusy}
	switch {
	case tried == 0:
		return append([]Cause{CauseNothingListens}, answering...)
	case accept == 0:
		return []Cause{CauseNothingListens}
	case accept < replicationQuorum(len(replicas)):
		return append([]Cause{CauseTooFewReplicas}, answering...)
	default:
		return answering
	}
}

// replicationQuorum is how many of n replicas must be there for requests to be executed.
// (https://docs.tigerbeetle.com/operating/cluster/)
func replicationQuorum(n int) int { return [...]int{0, 1, 2, 2, 2, 3, 3}[n] }

// diagnosis tries the addresses while Open waits for the cluster. It waits itself for half
// of the time first: each try takes a connection of the server's for a moment, and mostly
// none is needed.
type diagnosis struct {
	cancel  context.CancelFunc
	tries   sync.WaitGroup
	results []ReplicaReport
}

func (l *Ledger) startDiagnosis(ctx context.Context, addresses []netip.AddrPort) *diagnosis {
	d := &diagnosis{results: untriedReports(l.replicas, addresses)}
	var life context.Context
	life, d.cancel = context.WithCancel(ctx)
	deadline, _ := ctx.Deadline()
	d.tries.Go(func() {
		select {
		case <-life.Done():
			return
		case <-time.After(time.Until(deadline) / 2):
		}
		for i := range d.results {
			d.tries.Go(func() { d.results[i].tryConnect(life) })
		}
	})
	return d
}

// untriedReports are reports of addresses that nobody has tried yet.
func untriedReports(replicas []address, resolved []netip.AddrPort) (reports []ReplicaReport) {
	for i, a := range replicas {
		reports = append(reports, ReplicaReport{Address: a.text, Resolved: resolved[i]})
	}
	return reports
}

// tryConnect connects to the replica and closes the connection.
func (r *ReplicaReport) tryConnect(ctx context.Context) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", r.Resolved.String())
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // it was cut short, and shows nothing
	}
	r.Tried, r.Err = true, err
	if err == nil {
		_ = conn.Close() // it has shown all it can
	}
}

// stopTries ends the tries and returns what they found.
func (d *diagnosis) stopTries() []ReplicaReport {
	d.cancel()
	d.tries.Wait()
	return d.results
}
