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

// Config configures a cluster. Addresses must be set; the zero value of every other field is
// usable.
type Config struct {
	// ClusterID is the id in the cluster's data files. A server silently drops the requests of a
	// client with a wrong id. Default 0, reserved by TigerBeetle for tests.
	ClusterID uint128.Uint128
	// Addresses are the addresses of the 1 to 6 replicas in the order of their indices. Each is a
	// host name, an IPv4 address, an IPv6 address in brackets, all with or without a port (default
	// 3001, as in TigerBeetle), or a port alone (of 127.0.0.1). A name stands for one replica: of
	// several addresses of a name, the lowest counts, IPv4 before IPv6. No default.
	Addresses []string
	// Sessions is the number of sessions with the cluster, 1 to 16. Two sessions with full requests
	// have half as much throughput again as one, four have little more. Small calls need one
	// session more, because they would delay the full requests. A cluster has 64 sessions. Default
	// 3: two for the lanes of a recorder, one for every further call.
	Sessions int
	// MaxInFlightBytes is the memory of calls not yet answered by the native client, including
	// calls whose caller has returned: 8 KiB for each call, plus its events. A call beyond the
	// limit waits. Default 128 MiB, some 16,000 small calls or 120 full ones.
	MaxInFlightBytes int64
	// OpenTimeout is the longest time that Open waits for the cluster. Default 15 s.
	OpenTimeout time.Duration
	// StallTimeout is the time without any answer after which a session with waiting calls resolves
	// the host names again; it takes up to half as long more. If an address has changed, the
	// session is reopened. Default 5 s.
	StallTimeout time.Duration
	// CloseTimeout is the longest time that Close waits for the answers to calls under way. Calls
	// unanswered by then return [ledger.ErrOutcomeUnknown]. Default 1 s; negative: no wait.
	CloseTimeout time.Duration
	// Resolver finds the addresses of host names. Default net.DefaultResolver.
	Resolver Resolver
	// Events are called when a session is lost or reopened. Default none.
	Events Events
}

// Resolver finds the addresses of a host name. A *net.Resolver is one.
type Resolver interface {
	// LookupNetIP is called with the network "ip". It must return when the context ends: Open and
	// Close rely on the context.
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
	replicasMax = 6  // the limit of tigerbeetle-go
	sessionsMax = 16 // a quarter of a cluster's sessions
)

// Validate reports all faults of the configuration at once, as errors matching [ErrConfig] and
// naming the field. No name is resolved.
func (c Config) Validate() error {
	_, errs := parseAddresses("Addresses", c.Addresses)
	check := func(ok bool, field string, value any, reason string) {
		if !ok {
			errs = append(errs, &ConfigError{Field: field, Value: fmt.Sprint(value), Reason: reason})
		}
	}
	check(c.Sessions >= 0 && c.Sessions <= sessionsMax, "Sessions", c.Sessions, "must be 1 to 16, or 0 for the default")
	check(c.MaxInFlightBytes >= 0, "MaxInFlightBytes", c.MaxInFlightBytes, "must not be negative")
	check(c.OpenTimeout >= 0, "OpenTimeout", c.OpenTimeout, "must not be negative")
	check(c.StallTimeout >= 0, "StallTimeout", c.StallTimeout, "must not be negative")
	return errors.Join(errs...)
}

// ErrConfig is matched by the errors of a [Config] or environment that cannot be used. A
// [ConfigError] names the field.
var ErrConfig = errors.New("cluster: invalid configuration")

// ConfigError is a wrong field of a [Config], or a wrong environment variable. It matches
// [ErrConfig].
type ConfigError struct {
	Field  string // for example "Addresses[1]" or "TIGERBEETLE_CLUSTER_ID"
	Value  string // "" if the value is missing
	Reason string
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("cluster: %s %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("cluster: %s %q %s", e.Field, e.Value, e.Reason)
}

// Is reports whether target is [ErrConfig].
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }
