package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// replica is the result of asking a replica at one address.
type replica struct {
	index      int             // in the list of addresses
	configured string          // the address in the configuration
	address    netip.AddrPort  // invalid if the name could not be resolved
	pong       *vsr.Pong       // nil without an answer
	err        error           // why there is no answer
	duplicate  bool            // an earlier replica has the same address
	foundAt    *netip.AddrPort // the same host, another port, with a replica of this cluster
}

func (p *replica) String() string {
	location := p.configured
	if text := p.address.String(); p.address.IsValid() && text != p.configured {
		location += " (" + text + ")"
	}
	return fmt.Sprintf("replica %d at %s", p.index, location)
}

// resolveReplicas resolves the addresses of the replicas.
func (s Subject) resolveReplicas(ctx context.Context, r *Report) []*replica {
	replicas := make([]*replica, len(s.Addresses))
	owners := map[netip.AddrPort]*replica{}
	for i, text := range s.Addresses {
		p := &replica{index: i, configured: text}
		replicas[i] = p
		found, err := cluster.Config{Addresses: []string{text}, Resolver: s.Resolver}.Resolve(ctx)
		if err != nil {
			p.err = err
			r.addFinding(Unresolvable, p.String(), err.Error())
			continue
		}
		p.address = found[0]
		if owner := owners[p.address]; owner != nil {
			p.duplicate = true
			r.addFinding(SameReplicaTwice, p.String(), fmt.Sprintf("%v is the address of replica %d too", p.address, owner.index))
			continue
		}
		owners[p.address] = p
		if p.address.String() != text {
			r.addFinding(Resolved, p.String(), p.address.String())
		}
	}
	return replicas
}

// pingReplicas pings all replicas at once.
func (s Subject) pingReplicas(ctx context.Context, replicas []*replica) {
	var pings sync.WaitGroup
	for _, p := range replicas {
		if !p.address.IsValid() {
			continue
		}
		pings.Go(func() {
			p.pong, p.err = s.pingReplica(ctx, p.address)
			if p.pong == nil && mayListenElsewhere(p.err) {
				p.foundAt = s.findOnUsualPorts(ctx, p.address)
			}
		})
	}
	pings.Wait()
}

// oldestClient is the oldest client release accepted by servers of 0.17. A backup replica neither
// answers nor evicts a client of a newer release, so pingReplica also asks as oldestClient.
var oldestClient = vsr.NewRelease(0, 16, 4)

// pingReplica asks a replica as a client of our release, and then as a client of oldestClient.
func (s Subject) pingReplica(ctx context.Context, address netip.AddrPort) (*vsr.Pong, error) {
	pingAs := func(release vsr.Release) (*vsr.Pong, error) {
		ctx, cancel := context.WithTimeout(ctx, s.Patience)
		defer cancel()
		pong, err := vsr.PingReplica(ctx, address.String(), s.ClusterID, release)
		if err != nil {
			return nil, err
		}
		return &pong, nil
	}
	pong, err := pingAs(s.Client)
	var evicted *vsr.EvictedError
	if errors.Is(err, vsr.ErrSilent) || errors.As(err, &evicted) {
		if old, _ := pingAs(oldestClient); old != nil {
			return old, nil
		}
	}
	return pong, err
}

// mayListenElsewhere reports whether the error leaves room for a replica on another port.
func mayListenElsewhere(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, vsr.ErrForeign) || errors.Is(err, vsr.ErrHungUp)
}

// usualPorts are TigerBeetle's default port and the port of most examples.
var usualPorts = []uint16{3001, 3000}

// findOnUsualPorts looks for a replica of the cluster on other ports of the host.
func (s Subject) findOnUsualPorts(ctx context.Context, address netip.AddrPort) *netip.AddrPort {
	for _, port := range usualPorts {
		other := netip.AddrPortFrom(address.Addr(), port)
		if other == address {
			continue
		}
		if pong, _ := s.pingReplica(ctx, other); pong != nil {
			return &other
		}
	}
	return nil
}

// checkReplicas reports each replica's answer, and a lost quorum.
func (s Subject) checkReplicas(ctx context.Context, replicas []*replica, r *Report) {
	answering, absent := 0, 0
	for _, p := range replicas {
		if p.pong != nil {
			answering++
		}
	}
	hasQuorum := answering >= quorumSize(len(replicas))
	for _, p := range replicas {
		switch {
		case p.pong != nil:
			r.addFinding(ReplicaAnswers, p.String(), fmt.Sprintf("replica %d of cluster %v, release %v, view %d", p.pong.Replica, s.ClusterID, p.pong.Release, p.pong.View))
		case p.address.IsValid():
			code, found := classifyPingError(p)
			if code == NothingListens || code == Unreachable || code == Silent {
				absent++
				if hasQuorum {
					code = ReplicaDown
				}
			}
			r.addFinding(code, p.String(), found)
		}
	}
	// A replica that refuses this client still counts for the quorum.
	if len(replicas)-absent < quorumSize(len(replicas)) && len(replicas) > 1 && ctx.Err() == nil {
		r.addFinding(QuorumLost, "cluster", fmt.Sprintf("%d of %s answer, and %d must", answering, formatCount(len(replicas), "replica", "replicas"), quorumSize(len(replicas))))
	}
}

// classifyPingError returns the code and the observation for a replica without an answer.
func classifyPingError(p *replica) (code Code, found string) {
	found = p.err.Error()
	var evicted *vsr.EvictedError
	switch {
	case p.foundAt != nil:
		return WrongPort, fmt.Sprintf("%v; but %v answers as a replica of this cluster", p.err, p.foundAt)
	case errors.As(p.err, &evicted) && evicted.TooHigh:
		return ClientTooNew, found
	case errors.As(p.err, &evicted):
		return ClientTooOld, found
	case errors.Is(p.err, vsr.ErrForeign):
		return NotTigerBeetle, found
	case errors.Is(p.err, vsr.ErrHungUp):
		return WrongClusterID, found
	case errors.Is(p.err, vsr.ErrFull):
		return ConnectionsTaken, found
	case errors.Is(p.err, vsr.ErrSilent):
		return Silent, found
	case errors.Is(p.err, syscall.ECONNREFUSED):
		return NothingListens, found
	case errors.Is(p.err, os.ErrDeadlineExceeded), errors.Is(p.err, context.DeadlineExceeded):
		return Unreachable, "no answer to the attempt to connect: " + found
	default:
		return Unreachable, found
	}
}

// checkAddressOrder reports addresses that are not in the order of the replicas' indices.
func checkAddressOrder(replicas []*replica, r *Report) {
	addresses := make([]string, len(replicas))
	misplaced := false
	for _, p := range replicas {
		if p.pong == nil || p.duplicate {
			continue
		}
		i := p.pong.Replica
		if i >= len(replicas) {
			r.addFinding(ReplicaCount, p.String(), fmt.Sprintf("it is replica %d, and the list has only %s", i, formatCount(len(replicas), "address", "addresses")))
			return
		}
		if addresses[i] != "" {
			r.addFinding(SameReplicaTwice, p.String(), fmt.Sprintf("it is replica %d, as is %s", i, addresses[i]))
			return
		}
		addresses[i] = p.configured
		misplaced = misplaced || i != p.index
	}
	if !misplaced {
		return
	}
	for _, p := range replicas { // replicas without an answer fill the gaps
		for i := range addresses {
			if p.pong == nil && addresses[i] == "" {
				addresses[i] = p.configured
				break
			}
		}
	}
	r.addFinding(WrongOrder, "addresses", "the replicas say that the order is "+strings.Join(addresses, ","))
}

// checkReleases reports differing releases of replicas, and a client that is too new.
func checkReleases(replicas []*replica, client vsr.Release, r *Report) {
	var oldest, newest vsr.Release
	for _, p := range replicas {
		if p.pong == nil {
			continue
		}
		if oldest == 0 || p.pong.Release < oldest {
			oldest = p.pong.Release
		}
		newest = max(newest, p.pong.Release)
	}
	switch {
	case oldest == 0:
		return
	case oldest != newest:
		r.addFinding(ReleasesDiffer, "releases", fmt.Sprintf("replicas run %v to %v", oldest, newest))
	}
	if client > oldest {
		r.addFinding(ClientTooNew, "releases", fmt.Sprintf("our client is %v, a server %v", client, oldest))
	} else if oldest == newest {
		r.addFinding(ReleasesMatch, "releases", fmt.Sprintf("client %v, servers %v", client, oldest))
	}
}

// checkViews reports replicas that disagree on the view, and so on the primary.
func checkViews(replicas []*replica, r *Report) {
	views := map[uint32][]string{}
	for _, p := range replicas {
		if p.pong != nil {
			views[p.pong.View] = append(views[p.pong.View], fmt.Sprint(p.pong.Replica))
		}
	}
	if len(views) < 2 {
		return
	}
	var parts []string
	for view, indices := range views {
		parts = append(parts, fmt.Sprintf("view %d: %s", view, strings.Join(indices, ", ")))
	}
	r.addFinding(ViewsDiffer, "cluster", "replicas by view: "+strings.Join(parts, "; "))
}
