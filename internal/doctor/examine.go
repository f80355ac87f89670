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

// Subject is what is examined.
type Subject struct {
	// ConfigErr is what is wrong with the configuration; then nothing of the network is
	// looked at.
	ConfigErr error
	ClusterID uint128.Uint128
	Addresses []string // of the replicas in order, as for cluster.Config
	// Resolver finds the addresses of names. Default net.DefaultResolver.
	Resolver cluster.Resolver
	// Client is the release of our client.
	Client vsr.Release
	// Open opens a session; nil if the program has no client.
	Open func(context.Context) (Session, error)
	// DataFile is the server's data file or the folder that it is in, if the server is on
	// this machine: then the file, its volume and the machine are looked at. "" is no.
	DataFile string
	// Folder is that of an embedded ledger instead of a cluster, which no program has open. ""
	// is none.
	Folder string
	// Journal is the folder of a recorder's journal, which no recorder has open. "" is none.
	Journal string
	// Books are looked at when a request was answered.
	Books Books
	// Patience is how long a replica may take to answer. Default 3 s.
	Patience time.Duration
	// Now is this machine's clock. Default time.Now.
	Now func() time.Time
}

// Session is a ledger.Ledger of a cluster.
type Session interface {
	ledger.Ledger
	BatchMax() int // events in a request
}

// Examine looks at everything. It ends with ctx, and then reports what it has found until
// then.
func Examine(ctx context.Context, s Subject) Report {
	s.Patience = cmp.Or(s.Patience, 3*time.Second)
	if s.Now == nil {
		s.Now = time.Now
	}
	var r Report
	if s.ConfigErr != nil {
		for _, err := range flattenErrors(s.ConfigErr) {
			r.addFinding(ConfigInvalid, "configuration", err.Error())
		}
	} else if len(s.Addresses) > 0 { // else files alone are asked for
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
	if answering > 0 { // else a session has nothing to show, and takes long to show it
		s.examineSession(ctx, r)
	}
}

// quorumSize is how many of n replicas must be there for requests to be executed
// (https://docs.tigerbeetle.com/operating/cluster/).
func quorumSize(n int) int {
	if n < 1 || n > 6 {
		return n
	}
	return [...]int{1, 2, 2, 2, 3, 3}[n-1]
}

// flattenErrors takes joined errors apart, and not those that say more than their parts.
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

// formatCount is so many of something; several is their name in the plural.
func formatCount(n int, singular, plural string) string {
	if n == 1 {
		return "1 " + singular
	}
	return fmt.Sprintf("%d %s", n, plural)
}
