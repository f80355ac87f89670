package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
)

// ResolveError is an address whose host name could not be resolved, or that turned out
// to be another replica's.
type ResolveError struct {
	Address string // as configured
	Err     error
}

func (e *ResolveError) Error() string {
	return fmt.Sprintf("cluster: address %s: %v", e.Address, e.Err)
}

// Unwrap returns the resolver's error.
func (e *ResolveError) Unwrap() error { return e.Err }

// Resolve finds where the replicas are, in their order, as Open does first: for programs
// that want to look at the servers themselves. The errors are those of Open: ErrConfig, a
// *ResolveError for each name that could not be resolved.
func (c Config) Resolve(ctx context.Context) ([]netip.AddrPort, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	replicas, _ := parseAddresses("Addresses", c.Addresses)
	return resolveAll(ctx, c.withDefaults().Resolver, replicas, nil)
}

// errNoAddress says that the resolver answered without an address.
var errNoAddress = errors.New("the name has no address")

// resolveAll finds where the replicas are, in their order: one address each, since one
// more would shift the indices of those behind it. A name that cannot be resolved keeps
// its place in previous, if that is given. All names that fail are reported.
func resolveAll(
	ctx context.Context, r Resolver, replicas []address, previous []netip.AddrPort,
) ([]netip.AddrPort, error) {
	resolved, errs := make([]netip.AddrPort, len(replicas)), make([]error, len(replicas))
	var asking sync.WaitGroup
	for i, a := range replicas {
		asking.Go(func() {
			ip, err := resolveReplica(ctx, r, a)
			switch {
			case err == nil:
				resolved[i] = netip.AddrPortFrom(ip, a.port)
			case previous != nil:
				resolved[i] = previous[i]
			default:
				errs[i] = &ResolveError{a.text, err}
			}
		})
	}
	asking.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return resolved, checkDistinct(replicas, resolved)
}

// resolveReplica finds the address of one replica: the lowest of the name's, so that asking
// again finds the same one, and IPv4 before IPv6.
func resolveReplica(ctx context.Context, r Resolver, a address) (netip.Addr, error) {
	if a.host == "" {
		return a.ip, nil
	}
	found, err := r.LookupNetIP(ctx, "ip", a.host)
	if err != nil {
		return netip.Addr{}, err
	}
	if len(found) == 0 {
		return netip.Addr{}, errNoAddress
	}
	for i := range found {
		found[i] = found[i].Unmap().WithZone("")
	}
	return slices.MinFunc(found, netip.Addr.Compare), nil // IPv4 sorts first
}

func checkDistinct(replicas []address, resolved []netip.AddrPort) error {
	for i, addr := range resolved {
		if first := slices.Index(resolved, addr); first < i {
			err := fmt.Errorf("%v is that of %s too; each replica needs its own", addr, replicas[first].text)
			return &ResolveError{replicas[i].text, err}
		}
	}
	return nil
}

// hasNames reports whether asking the resolver again can make a difference.
func hasNames(replicas []address) bool {
	return slices.ContainsFunc(replicas, func(a address) bool { return a.host != "" })
}

// nativeAddresses are the addresses as tigerbeetle-go takes them.
func nativeAddresses(resolved []netip.AddrPort) []string {
	texts := make([]string, len(resolved))
	for i, addr := range resolved {
		texts[i] = addr.String()
	}
	return texts
}
