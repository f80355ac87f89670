//go:build cgo

package cluster

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// longestLabel is the longest part of a host name between two dots.
var longestLabel = strings.Repeat("a", 63)

// longestName is the longest host name.
var longestName = strings.Repeat(longestLabel+".", 3) + strings.Repeat("b", 61)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"3000":                 "127.0.0.1:3000",
		"10.0.0.1":             "10.0.0.1:3001",
		"10.0.0.1:3000":        "10.0.0.1:3000",
		"[::1]":                "[::1]:3001",
		"[::1]:65535":          "[::1]:65535",
		"[::ffff:10.0.0.1]:1":  "10.0.0.1:1",
		"localhost":            "localhost:3001",
		"tb-0.Tb.svc:3000":     "tb-0.Tb.svc:3000",
		"tigerbeetle_0.":       "tigerbeetle_0.:3001",
		"3com.example:3000":    "3com.example:3000",
		"xn--bcher-kva.ch:443": "xn--bcher-kva.ch:443",
		longestLabel + ".ch":   longestLabel + ".ch:3001",
		longestName:            longestName + ":3001",
	} {
		a, reason := parseAddress(text)
		require.Empty(t, reason, text)
		require.Equal(t, text, a.text)
		if a.host != "" {
			require.Equal(t, want, a.host+":"+netip.AddrPortFrom(netip.IPv4Unspecified(), a.port).String()[len("0.0.0.0:"):])
		} else {
			require.Equal(t, want, netip.AddrPortFrom(a.ip, a.port).String())
		}
	}
}

func TestWrongAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                 "is neither an IP address nor a host name",
		" localhost":       "is neither",
		"local host:3000":  "is neither",
		"a..b":             "is neither",
		longestLabel + "a": "is neither",
		longestName + "b":  "is neither",
		"10.0.0.256:3000":  "is neither",
		"http://tb:3000":   "several colons",
		"::1":              "must stand in brackets",
		"::1:3000":         "must stand in brackets",
		"[::1":             "is not an IPv6 address in brackets",
		"[10.0.0.1]:3000":  "is not an IPv6 address in brackets",
		"[fe80::1%eth0]":   "without a zone",
		"tb:":              `the port ""`,
		"tb:0":             `the port "0"`,
		"tb:65536":         `the port "65536"`,
		"tb:+1":            `the port "+1"`,
		"tb:http":          `the port "http"`,
		"70000":            `the port "70000"`,
		"0":                `the port "0"`,
		"tb:3000/":         `the port "3000/"`,
	} {
		_, reason := parseAddress(text)
		require.Contains(t, reason, want, "%q", text)
	}
}

func TestSixReplicas(t *testing.T) {
	t.Parallel()
	cfg := Config{Addresses: []string{"1", "2", "3", "4", "5", "6"}}
	require.NoError(t, cfg.Validate())
	cfg.Addresses = append(cfg.Addresses, "7")
	require.ErrorContains(t, cfg.Validate(), "names 7 replicas, at most 6")
}

func TestConfigReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	err := Config{
		Addresses:        []string{"a", "b:0", "A:3001", "1", "2", "3", "4"},
		Sessions:         17,
		MaxInFlightBytes: -1,
		OpenTimeout:      -1, StallTimeout: -1,
	}.Validate()
	require.ErrorIs(t, err, ErrConfig)
	for _, want := range []string{
		"Addresses names 7 replicas, at most 6", `Addresses[1] "b:0" has the port "0"`, `Addresses[2] "A:3001" is the same as Addresses[0]`,
		`Sessions "17"`, `MaxInFlightBytes "-1"`, "OpenTimeout", "StallTimeout",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = Open(t.Context(), Config{})
	require.ErrorIs(t, err, ErrConfig)
	require.ErrorContains(t, err, "Addresses must name at least one replica")
}

func parseAll(t *testing.T, texts ...string) []address {
	t.Helper()
	addresses, errs := parseAddresses("Addresses", texts)
	require.Empty(t, errs)
	return addresses
}

// Each replica has one address and keeps its place.
func TestResolve(t *testing.T) {
	t.Parallel()
	var dns changingResolver
	dns.setAddresses("tb-0", "::1", "10.0.0.2", "10.0.0.1", "::ffff:10.0.0.9")
	dns.setAddresses("tb-1", "2001:db8::2", "2001:db8::1")
	replicas := parseAll(t, "tb-1:3000", "10.0.0.3:1", "tb-0", "tb-0:3002")
	got, err := resolveAll(t.Context(), &dns, replicas, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"[2001:db8::1]:3000", "10.0.0.3:1", "10.0.0.1:3001", "10.0.0.1:3002"}, nativeAddresses(got))
}

func TestNamesThatDoNotResolve(t *testing.T) {
	t.Parallel()
	var dns changingResolver
	dns.setAddresses("tb-0", "10.0.0.1")
	replicas := parseAll(t, "tb-0", "tb-1:3000", "tb-2:3000")
	_, err := resolveAll(t.Context(), &dns, replicas, nil)
	var wrong *ResolveError
	require.ErrorAs(t, err, &wrong)
	require.ErrorContains(t, err, "address tb-1:3000: ")
	require.ErrorContains(t, err, "address tb-2:3000: ")

	previous := []netip.AddrPort{
		netip.MustParseAddrPort("10.0.0.7:3001"), netip.MustParseAddrPort("10.0.0.8:3000"), netip.MustParseAddrPort("10.0.0.9:3000"),
	}
	got, err := resolveAll(t.Context(), &dns, replicas, previous)
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.1:3001", "10.0.0.8:3000", "10.0.0.9:3000"}, nativeAddresses(got))
}

func TestTwoNamesOfOneReplica(t *testing.T) {
	t.Parallel()
	var dns changingResolver
	dns.setAddresses("tb-0", "10.0.0.1")
	dns.setAddresses("tb-1", "10.0.0.1")
	_, err := resolveAll(t.Context(), &dns, parseAll(t, "tb-0", "tb-1"), nil)
	require.ErrorContains(t, err, "address tb-1: 10.0.0.1:3001 is the address of tb-0 too")
	_, err = resolveAll(t.Context(), &dns, parseAll(t, "tb-0:1", "tb-1:2"), nil)
	require.NoError(t, err)
}

// Open does not wait for a resolver without an answer.
func TestResolverThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := openWith(ctx, Config{Addresses: []string{"tb-0"}, Resolver: new(changingResolver)}, newServers().dialFake)
	require.ErrorIs(t, err, context.Canceled)
}

// Config.Resolve returns the addresses that Open uses.
func TestConfigResolve(t *testing.T) {
	t.Parallel()
	var dns changingResolver
	dns.setAddresses("tb-1", "10.0.0.2", "10.0.0.1")
	cfg := Config{Addresses: []string{"3000", "tb-1", "10.0.0.9:1"}, Resolver: &dns}
	got, err := cfg.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:3000"), netip.MustParseAddrPort("10.0.0.1:3001"), netip.MustParseAddrPort("10.0.0.9:1"),
	}, got)
	cfg.Addresses = []string{"tb-2"}
	_, err = cfg.Resolve(t.Context())
	var wrong *ResolveError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "tb-2", wrong.Address)
	_, err = Config{}.Resolve(t.Context())
	require.ErrorIs(t, err, ErrConfig)
}
