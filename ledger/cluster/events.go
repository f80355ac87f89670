package cluster

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"
)

// Events are callbacks of a [Ledger]. Each may be nil. The Ledger's own goroutines call them, one
// at a time for each session. A callback must not block, and must not close the Ledger, which waits
// for callbacks.
type Events struct {
	// Reopened is called after a session was reopened. The unanswered requests of the lost session
	// are sent again; only an answer shows whether the cluster runs.
	Reopened func(SessionReopened)
	// ReopenFailed is called each time a session could not be reopened, for example because this
	// machine has no thread or file descriptor left. The Ledger tries again after a pause.
	ReopenFailed func(session int, err error)
	// Log receives the log lines of tigerbeetle-go's native part, such as warnings of a refused
	// connection, again and again. Without diversion they go to standard error. The native part has
	// one log for the whole process, so each Ledger receives the lines of all clients, including
	// clients outside of this package. Log may be called from several goroutines at once, and a
	// moment after Close, and must not use any Ledger or tigerbeetle-go. Without Log the lines are
	// dropped, except for the last few, shown by an [OpenError]. The diversion works on Linux,
	// unless another library has diverted the log already; elsewhere the lines go to standard
	// error.
	Log func(level slog.Level, line string)
}

// SessionReopened describes a reopened session.
type SessionReopened struct {
	Session   int              // 0 to Config.Sessions-1
	Cause     error            // ErrEvicted, ErrAddressChanged or ErrSessionLost
	Attempts  int              // attempts to reopen the session, 1 or more
	Downtime  time.Duration    // from the loss to the reopening
	Addresses []netip.AddrPort // present addresses of the replicas, in their order
}

// The causes of a reopened session ([SessionReopened]) or of a Ledger that has ended.
var (
	// ErrEvicted is the cause when the cluster dropped the session: a new session needed its place
	// (there are 64), or the cluster has forgotten it. Frequent evictions mean too many sessions on
	// the cluster.
	ErrEvicted = errors.New("cluster: session evicted")
	// ErrAddressChanged is the cause when the session had no answers and the address of a host name
	// has changed.
	ErrAddressChanged = errors.New("cluster: address of a replica changed")
	// ErrSessionLost is the cause when the native client of the session has ended.
	ErrSessionLost = errors.New("cluster: session lost")
	// ErrClientRelease is returned when the cluster does not serve clients of this release (see
	// [ClientRelease]). A retry is useless until the client or the cluster is upgraded.
	ErrClientRelease = errors.New("cluster: release not served")
)

// ClientRelease is the release of the native client. A cluster serves clients of the cluster's own
// release and of older releases (0.17.9 serves 0.16.4 and later), never newer clients.
// (https://docs.tigerbeetle.com/operating/upgrading/)
const ClientRelease = "0.17.9"
