package cluster

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"
)

// Events are told what happens to the sessions of a Ledger. Each may be nil. They are
// called from the Ledger's own goroutines, one at a time for each session, and must not
// block, nor close the Ledger, which waits for them.
type Events struct {
	// Reopened is told when a session was opened anew. What it had under way is sent
	// again; an answer to that will show whether the cluster is there.
	Reopened func(SessionReopened)
	// ReopenFailed is told each time when a session could not be opened anew, e.g. because
	// this machine has no thread or descriptor left. It is tried again after a pause.
	ReopenFailed func(session int, err error)
	// Log is given the log of tigerbeetle-go's native part, whose warnings would else go
	// to standard error: a refused connection, say, again and again.
	// The native part has one log for the whole process: each Ledger is given the lines
	// of all clients, also of those that are not this package's. Log may be called
	// from several goroutines at once, also a moment after Close, and must not use any
	// Ledger or tigerbeetle-go. Without Log the lines are dropped, but for the last few,
	// which an OpenError shows. On Linux, unless another library has the log already;
	// elsewhere the lines go to standard error.
	Log func(level slog.Level, line string)
}

// SessionReopened is a session that was opened anew.
type SessionReopened struct {
	Session   int              // 0 to Config.Sessions-1
	Cause     error            // why: ErrEvicted, ErrAddressChanged, ErrSessionLost
	Attempts  int              // how often it was tried, 1 or more
	Downtime  time.Duration    // how long the session was not there
	Addresses []netip.AddrPort // of the replicas, in their order, as they are now
}

// Why a session was opened anew, or why a Ledger has come to its end.
var (
	// ErrEvicted says that the cluster dropped the session: another one needed its
	// place (there are 64), or the cluster has forgotten it. Many of these mean that too
	// many sessions use the cluster.
	ErrEvicted = errors.New("cluster: session evicted")
	// ErrAddressChanged says that the session had no answers and a host name has
	// another address since.
	ErrAddressChanged = errors.New("cluster: address of a replica changed")
	// ErrSessionLost says that the native client of the session has ended.
	ErrSessionLost = errors.New("cluster: session lost")
	// ErrClientRelease says that the cluster does not serve clients of this release (see
	// ClientRelease). Trying again is no use until one of the two is exchanged.
	ErrClientRelease = errors.New("cluster: release not served")
)

// ClientRelease is the release of the native client. A cluster serves clients of its
// own release and older ones (0.17.9 serves those from 0.16.4 on), never newer ones.
// (https://docs.tigerbeetle.com/operating/upgrading/)
const ClientRelease = "0.17.9"
