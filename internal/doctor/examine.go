package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// Subject describes the program and the ledger for [Examine].
type Subject struct {
	// ConfigErr is the error of the configuration. With an error, the network is not examined.
	ConfigErr error
	ClusterID uint128.Uint128
	Addresses []string // of the replicas in order, as in cluster.Config
	// Resolver resolves names. Default: [net.DefaultResolver].
	Resolver cluster.Resolver
	// Client is the release of the program's TigerBeetle client.
	Client vsr.Release
	// Open opens a [Session]; nil if the program has no client.
	Open func(context.Context) (Session, error)
	// DataFile is the server's data file, or the file's folder, on this machine. A non-empty
	// DataFile also asks for checks of the volume and the machine.
	DataFile string
	// Folder is the folder of a closed embedded ledger; "" is none.
	Folder string
	// Journal is the folder of a recorder's journal, of single packets (package transfers) or of
	// rounds (package transfers/aggregate); "" is none. A journal of rounds is compared with the
	// ledger, if there is one.
	Journal string
	// Books are checked once a request was answered.
	Books Books
	// Patience is how long to wait for a replica. Default: 3 s.
	Patience time.Duration
	// Now is this machine's clock. Default: [time.Now].
	Now func() time.Time

	journal journalContent // of Journal
}

// Session is a session with a cluster, as [cluster.Open] returns.
type Session interface {
	ledger.Ledger
	BatchMax() int // events in a request
}

// Examine makes all checks of a [Subject]. At the end of ctx it returns the findings so far.
func Examine(ctx context.Context, s Subject) Report {
	s.Patience = cmp.Or(s.Patience, 3*time.Second)
	if s.Now == nil {
		s.Now = time.Now
	}
	var r Report
	if s.Journal != "" {
		s.journal = readJournal(s.Journal)
	}
	if s.ConfigErr != nil {
		for _, err := range flattenErrors(s.ConfigErr) {
			r.addFinding(ConfigInvalid, "configuration", err.Error())
		}
	} else if len(s.Addresses) > 0 { // else only files are checked
		s.examineCluster(ctx, &r)
	}
	if s.Folder != "" {
		s.examineFolder(ctx, &r)
	}
	if s.Journal != "" {
		s.examineJournal(&r)
	}
	if s.DataFile != "" {
		serverRuns := s.examineDataFile(&r)
		checkHost(readHost(), serverRuns, &r)
	}
	return r
}

// examineCluster checks the configuration, the replicas, a session and the books.
func (s Subject) examineCluster(ctx context.Context, r *Report) {
	if s.ClusterID.IsZero() {
		r.addFinding(ClusterIDZero, "configuration", "cluster id 0")
	}
	replicas := s.resolveReplicas(ctx, r)
	s.pingReplicas(ctx, replicas)
	s.checkReplicas(ctx, replicas, r)
	checkAddressOrder(replicas, r)
	checkReleases(replicas, s.Client, r)
	checkViews(replicas, r)
	answering := 0
	for _, p := range replicas {
		if p.pong != nil {
			answering++
		}
	}
	if answering > 0 { // without an answering replica a session would only time out
		s.examineSession(ctx, r)
	}
}

// quorumSize is how many of n replicas must run for requests to be executed
// (https://docs.tigerbeetle.com/operating/cluster/).
func quorumSize(n int) int {
	if n < 1 || n > 6 {
		return n
	}
	return [...]int{1, 2, 2, 2, 3, 3}[n-1]
}

// flattenErrors splits errors of [errors.Join]. An error with its own text is kept whole.
func flattenErrors(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && err.Error() == errors.Join(joined.Unwrap()...).Error() {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flattenErrors(e)...)
		}
		return all
	}
	return []error{err}
}

// formatCount returns a count with its noun.
func formatCount(n int, singular, plural string) string {
	if n == 1 {
		return "1 " + singular
	}
	return fmt.Sprintf("%d %s", n, plural)
}
