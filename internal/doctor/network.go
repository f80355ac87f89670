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

// replica is what is found out about one address.
type replica struct {
	index     int             // in the list
	text      string          // as configured
	address   netip.AddrPort  // not valid if the name could not be resolved
	pong      *vsr.Pong       // nil if it did not answer
	err       error           // why
	twin      bool            // its address is that of another one before it
	elsewhere *netip.AddrPort // where a replica of this cluster listens on the same host
}

func (p *replica) String() string {
	where := p.text
	if text := p.address.String(); p.address.IsValid() && text != p.text {
		where += " (" + text + ")"
	}
	return fmt.Sprintf("replica %d at %s", p.index, where)
}

// resolve finds where the replicas are.
func (s Subject) resolve(ctx context.Context, r *Report) []*replica {
	replicas := make([]*replica, len(s.Addresses))
	owners := map[netip.AddrPort]*replica{}
	for i, text := range s.Addresses {
		p := &replica{index: i, text: text}
		replicas[i] = p
		found, err := cluster.Config{Addresses: []string{text}, Resolver: s.Resolver}.Resolve(ctx)
		if err != nil {
			p.err = err
			r.add(Unresolvable, p.String(), err.Error())
			continue
		}
		p.address = found[0]
		if first := owners[p.address]; first != nil {
			p.twin = true
			r.add(SameReplicaTwice, p.String(), fmt.Sprintf("%v is the address of replica %d too", p.address, first.index))
			continue
		}
		owners[p.address] = p
		if p.address.String() != text {
			r.add(Resolved, p.String(), p.address.String())
		}
	}
	return replicas
}

// ask asks all replicas who they are, at once.
func (s Subject) ask(ctx context.Context, replicas []*replica) {
	var asking sync.WaitGroup
	for _, p := range replicas {
		if !p.address.IsValid() {
			continue
		}
		asking.Go(func() {
			p.pong, p.err = s.ping(ctx, p.address)
			if p.pong == nil && mayListenElsewhere(p.err) {
				p.elsewhere = s.lookElsewhere(ctx, p.address)
			}
		})
	}
	asking.Wait()
}

// oldestClient is the oldest release that servers of 0.17 serve. A replica that is not the
// primary does not answer a client that is too new for it, and turns nobody away.
var oldestClient = vsr.NewRelease(0, 16, 4)

// ping asks one replica, as a client of our release and then as an old one.
func (s Subject) ping(ctx context.Context, address netip.AddrPort) (*vsr.Pong, error) {
	once := func(release vsr.Release) (*vsr.Pong, error) {
		ctx, cancel := context.WithTimeout(ctx, s.Patience)
		defer cancel()
		pong, err := vsr.Ping(ctx, address.String(), s.ClusterID, release)
		if err != nil {
			return nil, err
		}
		return &pong, nil
	}
	pong, err := once(s.Client)
	var evicted *vsr.EvictedError
	if errors.Is(err, vsr.ErrSilent) || errors.As(err, &evicted) {
		if old, _ := once(oldestClient); old != nil {
			return old, nil
		}
	}
	return pong, err
}

func mayListenElsewhere(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, vsr.ErrForeign) || errors.Is(err, vsr.ErrHungUp)
}

// usualPorts are TigerBeetle's default and that of most examples.
var usualPorts = []uint16{3001, 3000}

// lookElsewhere looks for a replica of the cluster on other ports of the host.
func (s Subject) lookElsewhere(ctx context.Context, address netip.AddrPort) *netip.AddrPort {
	for _, port := range usualPorts {
		other := netip.AddrPortFrom(address.Addr(), port)
		if other == address {
			continue
		}
		if pong, _ := s.ping(ctx, other); pong != nil {
			return &other
		}
	}
	return nil
}

// judgeReplicas reports of each replica whether it answers, and whether enough do.
func (s Subject) judgeReplicas(ctx context.Context, replicas []*replica, r *Report) {
	up, down := 0, 0
	for _, p := range replicas {
		if p.pong != nil {
			up++
		}
	}
	enough := up >= quorum(len(replicas))
	for _, p := range replicas {
		switch {
		case p.pong != nil:
			r.add(ReplicaAnswers, p.String(), fmt.Sprintf("replica %d of cluster %v, release %v, view %d", p.pong.Replica, s.ClusterID, p.pong.Release, p.pong.View))
		case p.address.IsValid():
			code, found := judge(p)
			if code == NothingListens || code == Unreachable || code == Silent {
				down++
				if enough {
					code = ReplicaDown
				}
			}
			r.add(code, p.String(), found)
		}
	}
	// Replicas that are there and turn us away are no reason for the cluster to stop.
	if len(replicas)-down < quorum(len(replicas)) && len(replicas) > 1 && ctx.Err() == nil {
		r.add(QuorumLost, "cluster", fmt.Sprintf("%d of %s answer, and %d must", up, number(len(replicas), "replica", "replicas"), quorum(len(replicas))))
	}
}

// judge says what an error of a ping means.
func judge(p *replica) (code Code, found string) {
	found = p.err.Error()
	var evicted *vsr.EvictedError
	switch {
	case p.elsewhere != nil:
		return WrongPort, fmt.Sprintf("%v; but %v answers as a replica of this cluster", p.err, p.elsewhere)
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

// judgeOrder reports whether the replicas are where the list has them.
func judgeOrder(replicas []*replica, r *Report) {
	right := make([]string, len(replicas))
	wrong := false
	for _, p := range replicas {
		if p.pong == nil || p.twin {
			continue
		}
		i := p.pong.Replica
		if i >= len(replicas) {
			r.add(ReplicaCount, p.String(), fmt.Sprintf("it is replica %d, and the list has only %s", i, number(len(replicas), "address", "addresses")))
			return
		}
		if right[i] != "" {
			r.add(SameReplicaTwice, p.String(), fmt.Sprintf("it is replica %d, as is %s", i, right[i]))
			return
		}
		right[i] = p.text
		wrong = wrong || i != p.index
	}
	if !wrong {
		return
	}
	for _, p := range replicas { // those that did not answer go where there is room
		for i := range right {
			if p.pong == nil && right[i] == "" {
				right[i] = p.text
				break
			}
		}
	}
	r.add(WrongOrder, "addresses", "the replicas say that the order is "+strings.Join(right, ","))
}

// judgeReleases reports whether the releases go together.
func judgeReleases(replicas []*replica, client vsr.Release, r *Report) {
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
		r.add(ReleasesDiffer, "releases", fmt.Sprintf("replicas run %v to %v", oldest, newest))
	}
	if client > oldest {
		r.add(ClientTooNew, "releases", fmt.Sprintf("our client is %v, a server %v", client, oldest))
	} else if oldest == newest {
		r.add(ReleasesMatch, "releases", fmt.Sprintf("client %v, servers %v", client, oldest))
	}
}

// judgeViews reports replicas that do not agree on the primary.
func judgeViews(replicas []*replica, r *Report) {
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
	for view, who := range views {
		parts = append(parts, fmt.Sprintf("view %d: %s", view, strings.Join(who, ", ")))
	}
	r.add(ViewsDiffer, "cluster", "replicas by view: "+strings.Join(parts, "; "))
}
