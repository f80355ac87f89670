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

// Cause is a likely cause of a cluster's silence.
type Cause int

// The causes.
const (
	// CauseNothingListens: no address accepts TCP connections. The server is not running, listens
	// at another address, or is behind a firewall.
	CauseNothingListens Cause = iota + 1
	// CauseTooFewReplicas: fewer addresses accept connections than the cluster's quorum.
	CauseTooFewReplicas
	// CauseClusterID: the cluster has another id. The server's log reports it.
	CauseClusterID
	// CauseConnectionsTaken: the replicas have no connection left for a client.
	CauseConnectionsTaken
	// CauseClientRelease: the cluster does not serve clients of this release.
	CauseClientRelease
	// CauseBusy: the cluster is slow, or has no primary at the moment.
	CauseBusy
)

// String returns the cause and its remedy.
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

// OpenError is returned when a cluster could not be opened. It matches the context's error, or
// [ErrClientRelease].
type OpenError struct {
	ClusterID uint128.Uint128
	Replicas  []ReplicaReport // in the order of the addresses
	Causes    []Cause         // likely causes, the likeliest first
	Waited    time.Duration
	Native    []string // the last lines of the native client's log, if there are any; see Events.Log
	Err       error
}

// ReplicaReport is the result of a TCP connection to one replica.
type ReplicaReport struct {
	Address  string         // as configured
	Resolved netip.AddrPort // the resolved address
	Tried    bool           // whether a connection was tried before Open ended
	Err      error          // of the connection; nil if the address accepts TCP
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

// Unwrap returns the reason why the wait ended.
func (e *OpenError) Unwrap() error { return e.Err }

func (l *Ledger) newOpenError(err error, waited time.Duration, replicas []ReplicaReport, causes []Cause) *OpenError {
	return &OpenError{
		ClusterID: l.cfg.ClusterID, Replicas: replicas, Causes: causes,
		Waited: waited, Native: l.nativeLog.lastLines(), Err: err,
	}
}

// likelyCauses lists the causes that fit the number of addresses accepting connections.
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
	generalCauses := []Cause{CauseClusterID, CauseConnectionsTaken, CauseBusy}
	switch {
	case tried == 0:
		return append([]Cause{CauseNothingListens}, generalCauses...)
	case accept == 0:
		return []Cause{CauseNothingListens}
	case accept < replicationQuorum(len(replicas)):
		return append([]Cause{CauseTooFewReplicas}, generalCauses...)
	default:
		return generalCauses
	}
}

// replicationQuorum returns the number of replicas, out of n, needed to execute requests.
// (https://docs.tigerbeetle.com/operating/cluster/)
func replicationQuorum(n int) int { return [...]int{0, 1, 2, 2, 2, 3, 3}[n] }

// diagnosis tries to connect to the replicas while Open waits for the cluster. It starts after half
// of the time: each try takes one of the server's connections for a moment, and usually no try is
// needed.
type diagnosis struct {
	cancel  context.CancelFunc
	tries   sync.WaitGroup
	results []ReplicaReport
}

func (l *Ledger) startDiagnosis(ctx context.Context, addresses []netip.AddrPort) *diagnosis {
	d := &diagnosis{results: untriedReports(l.replicas, addresses)}
	var triesCtx context.Context
	triesCtx, d.cancel = context.WithCancel(ctx)
	deadline, _ := ctx.Deadline()
	d.tries.Go(func() {
		select {
		case <-triesCtx.Done():
			return
		case <-time.After(time.Until(deadline) / 2):
		}
		for i := range d.results {
			d.tries.Go(func() { d.results[i].tryConnect(triesCtx) })
		}
	})
	return d
}

// untriedReports returns a report for each replica without a result.
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
		return // the try was cut short and has no result
	}
	r.Tried, r.Err = true, err
	if err == nil {
		_ = conn.Close() // the connection itself was the result
	}
}

// stopTries ends the tries and returns their results.
func (d *diagnosis) stopTries() []ReplicaReport {
	d.cancel()
	d.tries.Wait()
	return d.results
}
