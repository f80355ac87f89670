package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"lukechampine.com/uint128"
)

// Config says which cluster to open, and how. Addresses must be given; the zero value
// of every other field is usable.
type Config struct {
	// ClusterID is the id with which the cluster was formatted. A server drops the
	// requests of a client that has another one without a word. Default 0, which
	// TigerBeetle keeps for tests.
	ClusterID uint128.Uint128
	// Addresses are those of the replicas, in the order of their indices, 1 to 6 of
	// them: a host name, an IPv4 address or an IPv6 address in brackets, with a port
	// or without one (3001 then, as in TigerBeetle), or a port alone (of 127.0.0.1).
	// A name stands for one replica: if it has several addresses, the first in order
	// counts, IPv4 before IPv6. No default.
	Addresses []string
	// Sessions is how many sessions of the cluster to use, 1 to 16. Two that send full
	// requests give half as much throughput again as one, four little more; one more
	// is for small calls, which would hold the full requests up. A cluster has 64 in
	// all. Default 3: for the two lanes of a recorder, and everything else.
	Sessions int
	// MaxInFlightBytes is how many bytes the calls may hold that the native client has not
	// answered, those included whose callers have gone: 8 KiB for each call and the
	// events on top. A call for which there is no room waits. Default 128 MiB, some
	// 16,000 small calls or 120 full ones.
	MaxInFlightBytes int64
	// OpenTimeout is how long Open waits for the cluster, if its context does not end
	// sooner. Default 15 s.
	OpenTimeout time.Duration
	// StallTimeout is how long a session may be without an answer, while calls wait,
	// until the host names are resolved again (and up to half as long more). If an address has changed, the session
	// is opened anew. Default 5 s.
	StallTimeout time.Duration
	// CloseTimeout is how long Close waits for the answers to calls under way. What is
	// not answered then ends with ledger.ErrOutcomeUnknown. Default 1 s; negative for
	// no wait.
	CloseTimeout time.Duration
	// Resolver finds the addresses of host names. Default net.DefaultResolver.
	Resolver Resolver
	// Events are told what happens to the sessions. Default nobody is.
	Events Events
}

// Resolver finds the addresses of a host name; a *net.Resolver is one.
type Resolver interface {
	// LookupNetIP is asked with the network "ip". It must heed the context, which Open and
	// Close rely on.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

func (c Config) withDefaults() Config {
	c.Sessions = cmp.Or(c.Sessions, 3)
	c.MaxInFlightBytes = cmp.Or(c.MaxInFlightBytes, 128<<20)
	c.OpenTimeout = cmp.Or(c.OpenTimeout, 15*time.Second)
	c.StallTimeout = cmp.Or(c.StallTimeout, 5*time.Second)
	c.CloseTimeout = cmp.Or(c.CloseTimeout, time.Second)
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	return c
}

const (
	replicasMax = 6  // that tigerbeetle-go takes
	sessionsMax = 16 // a quarter of a cluster's
)

// Validate reports all that is wrong with the configuration at once, as errors that
// match ErrConfig and name the field. It asks nobody for addresses.
func (c Config) Validate() error {
	_, errs := parseAddresses("Addresses", c.Addresses)
	check := func(ok bool, field string, value any, reason string) {
		if !ok {
			errs = append(errs, &ConfigError{Field: field, Value: fmt.Sprint(value), Reason: reason})
		}
	}
	check(c.Sessions >= 0 && c.Sessions <= sessionsMax, "Sessions", c.Sessions, "must be 1 to 16, or 0 for the default")
	check(c.MaxInFlightBytes >= 0, "Memory", c.MaxInFlightBytes, "must not be negative")
	check(c.OpenTimeout >= 0, "OpenTimeout", c.OpenTimeout, "must not be negative")
	check(c.StallTimeout >= 0, "StallTimeout", c.StallTimeout, "must not be negative")
	return errors.Join(errs...)
}

// ErrConfig says that a Config, or the environment that one is read from, cannot be
// used: a ConfigError names the field.
var ErrConfig = errors.New("cluster: invalid configuration")

// ConfigError is a field of a Config, or an environment variable, that cannot be used.
// It matches ErrConfig.
type ConfigError struct {
	Field  string // e.g. "Addresses[1]" or "TIGERBEETLE_CLUSTER_ID"
	Value  string // "" if it is missing
	Reason string
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("cluster: %s %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("cluster: %s %q %s", e.Field, e.Value, e.Reason)
}

// Is reports whether target is ErrConfig.
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }
