package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
)

// The sizes of requests, header included, in bytes.
const (
	RequestMaxDefault     = vsr.MessageMax // of a server with default settings: 8,189 events to create
	RequestMaxDevelopment = 32 << 10       // of a server started with --development: 253 events
	requestMaxLeast       = 4 << 10
)

// Config configures a [Server]. The zero value serves cluster 0 like TigerBeetle 0.17.9 with default
// settings.
type Config struct {
	// Cluster is the id of the cluster. Connections of clients of other clusters are ended.
	Cluster uint128.Uint128
	// Release is the server's release. Newer clients are evicted. Default "0.17.9".
	Release string
	// OldestClient is the oldest release served. Older clients are evicted. Default
	// "0.16.4".
	OldestClient string
	// RequestMax is the size of the largest request in bytes, header included, from 4 KiB to
	// [RequestMaxDefault], a multiple of 128. The ledger must take the events that fit: with
	// [RequestMaxDevelopment], for example, 253. Default [RequestMaxDefault].
	RequestMax int
	// Sessions is the number of sessions. One more pushes out the session that has executed
	// nothing for longest. Default 64.
	Sessions int
	// MaxConnections is the number of connections. Further connections are ended at once. Default
	// 128.
	MaxConnections int
	// IdleTimeout ends a connection without a whole message for so long. Clients send a ping each
	// 30 s. Default 2 minutes.
	IdleTimeout time.Duration
	// WriteTimeout ends a connection whose client does not read an answer for so long. Default
	// 17 s.
	WriteTimeout time.Duration
	// CloseTimeout is the time that requests under way have to finish when the context of
	// [Server.Serve] ends. Default 5 s.
	CloseTimeout time.Duration
	// AllowRemote allows listeners beyond loopback. The protocol has no authentication and no
	// encryption: every program that reaches the port can move every balance.
	AllowRemote bool
	// Log receives warnings: evictions with their reasons, clients of other clusters, failed requests.
	// It receives the ends of connections at level Debug. Default: nothing is logged.
	Log *slog.Logger

	// OnRequest, if not nil, is called before a request or a ping is handled, for tests. With
	// [ErrIgnore] the server ignores the message, with an [EvictError] it evicts the client, and
	// with any other error it ends the connection. OnRequest may wait; ctx ends with the server.
	OnRequest func(ctx context.Context, m Message) error
	// OnAnswer, if not nil, sends the server's answers, for tests. It calls send as often as it
	// likes, with any bytes, also later and from another goroutine; send fails when the connection
	// has ended. answer is a copy that OnAnswer may change and keep. With an error the server ends
	// the connection.
	OnAnswer func(ctx context.Context, m Message, answer []byte, send func([]byte) error) error
}

// Validate reports all faults of the configuration at once, as errors matching [ErrConfig] and
// naming the field.
func (c Config) Validate() error {
	_, err := c.complete()
	return err
}

// ErrConfig is matched by the errors of an invalid [Config].
var ErrConfig = errors.New("server: invalid configuration")

// settings are a valid configuration with its defaults.
type settings struct {
	Config

	release, oldest vsr.Release
}

// complete returns the configuration with its defaults, or all its faults.
func (c Config) complete() (s settings, err error) {
	var faults []error
	check := func(ok bool, field string, value any, reason string) {
		if !ok {
			faults = append(faults, fmt.Errorf("%w: %s %v %s", ErrConfig, field, value, reason))
		}
	}
	c.Release = cmp.Or(c.Release, "0.17.9")
	c.OldestClient = cmp.Or(c.OldestClient, "0.16.4")
	c.RequestMax = cmp.Or(c.RequestMax, RequestMaxDefault)
	c.Sessions = cmp.Or(c.Sessions, 64)
	c.MaxConnections = cmp.Or(c.MaxConnections, 128)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 2*time.Minute)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 17*time.Second)
	c.CloseTimeout = cmp.Or(c.CloseTimeout, 5*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s.Config = c
	s.release, err = vsr.ParseRelease(c.Release)
	check(err == nil, "Release", c.Release, "must be a release such as 0.17.9")
	s.oldest, err = vsr.ParseRelease(c.OldestClient)
	check(err == nil, "OldestClient", c.OldestClient, "must be a release such as 0.16.4")
	check(c.RequestMax >= requestMaxLeast && c.RequestMax <= RequestMaxDefault && c.RequestMax%rowSize == 0,
		"RequestMax", c.RequestMax, "must be 4096 to 1048576 and a multiple of 128")
	check(c.Sessions > 0, "Sessions", c.Sessions, "must be at least 1")
	check(c.MaxConnections > 0, "MaxConnections", c.MaxConnections, "must be at least 1")
	check(c.IdleTimeout > 0, "IdleTimeout", c.IdleTimeout, "must not be negative")
	check(c.WriteTimeout > 0, "WriteTimeout", c.WriteTimeout, "must not be negative")
	check(c.CloseTimeout > 0, "CloseTimeout", c.CloseTimeout, "must not be negative")
	return s, errors.Join(faults...)
}
