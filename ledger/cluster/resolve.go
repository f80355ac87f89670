package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
)

// ResolveError is the error of an address: its host name could not be resolved, or is resolved to
// the address of another replica.
type ResolveError struct {
	Address string // as configured
	Err     error
}

func (e *ResolveError) Error() string {
	return fmt.Sprintf("cluster: address %s: %v", e.Address, e.Err)
}

// Unwrap returns the resolver's error.
func (e *ResolveError) Unwrap() error { return e.Err }

// Resolve returns the addresses of the replicas in their order, as [Open] resolves them first.
// Programs use it to examine the servers themselves. The errors are Open's: errors matching
// [ErrConfig], and a [ResolveError] for each name without an address.
func (c Config) Resolve(ctx context.Context) ([]netip.AddrPort, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	replicas, _ := parseAddresses("Addresses", c.Addresses)
	return resolveAll(ctx, c.withDefaults().Resolver, replicas, nil)
}

// errNoAddress is returned when the resolver answers without an address.
var errNoAddress = errors.New("the name has no address")

// resolveAll returns the addresses of the replicas in their order, one for each: a second address
// of a name would shift the indices of the replicas behind. If previous is given, a failing name
// keeps its previous address. Otherwise all failing names are reported.
func resolveAll(
	ctx context.Context, r Resolver, replicas []address, previous []netip.AddrPort,
) ([]netip.AddrPort, error) {
	resolved, errs := make([]netip.AddrPort, len(replicas)), make([]error, len(replicas))
	var lookups sync.WaitGroup
	for i, a := range replicas {
		lookups.Go(func() {
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
	lookups.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return resolved, checkDistinct(replicas, resolved)
}

// resolveReplica returns the lowest address of a replica's name, IPv4 before IPv6. A second call
// therefore returns the same address.
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
			err := fmt.Errorf("%v is the address of %s too; each replica needs its own", addr, replicas[first].text)
			return &ResolveError{replicas[i].text, err}
		}
	}
	return nil
}

// hasNames reports whether a replica has a host name: only a name can change its address.
func hasNames(replicas []address) bool {
	return slices.ContainsFunc(replicas, func(a address) bool { return a.host != "" })
}

// nativeAddresses returns the addresses in the format of tigerbeetle-go.
func nativeAddresses(resolved []netip.AddrPort) []string {
	texts := make([]string, len(resolved))
	for i, addr := range resolved {
		texts[i] = addr.String()
	}
	return texts
}
