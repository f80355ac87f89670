package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// Config configures a [Console]. Only Book is required.
type Config struct {
	// Book reads peers, balances and statements. The caller closes its ledger after [Console.Close].
	Book *accounts.Book
	// Peers returns the ids of the peers known in an asset. The ledger keeps only hashes of the ids,
	// so a peer that is missing here is shown by its account's id, costs two requests in each look,
	// and has no page of its own. Peers is called by one goroutine at a time, and must not change a
	// slice after returning it. Default: no names.
	Peers func(asset accounts.Asset) []string
	// Settlement reads open orders and pauses. Default nil: the pages show orders as unknown.
	Settlement *settlement.Engine
	// Instances are the names of settlement engines (settlement.Config.Instance) to show as the owners of closed
	// orders. The ledger keeps only hashes of them. Default: owners are shown by their ids.
	Instances []string
	// Health examines the ledger for the page of its health. It is called by one goroutine at a time, at most once a
	// minute, with a deadline of 45 s. Default nil: the page tells that the health is unknown.
	Health func(context.Context) ([]Finding, error)
	// StuckAfter is the age of an order from which it is shown as stuck. Default 10 min.
	StuckAfter time.Duration

	// Interval is the least time between two looks at the ledger. Default 2 s.
	Interval time.Duration
	// Timeout is the time that a look, or the reading for a page, may take. Default 10 s.
	Timeout time.Duration
	// ExportTimeout is the time that a download of a statement may take, reading and sending. Then its
	// connection is broken off. Default 5 min.
	ExportTimeout time.Duration
	// MaxOrders is the largest number of peers whose open orders are read in a look. Default 500.
	MaxOrders int
	// MaxStreams is the largest number of open streams of live figures. A page beyond it shows its
	// figures, and no newer ones until it is loaded again. Default 64.
	MaxStreams int

	// Hosts are the host names, without a port, by which browsers reach the console, besides
	// localhost, IP addresses and the host of PublicURL. A request with another Host is refused:
	// a foreign page may have resolved its own name to this machine (DNS rebinding).
	Hosts []string
	// PublicURL is the address of the console at a proxy that changes the Host header, as in
	// "https://ops.example/console/". Posts from its origin are accepted. Default: none.
	PublicURL string
	// Token is a secret for logging in, of 24 to 200 characters, that may be used any number of
	// times. Default "": only links of [Console.NewLogin] log in.
	Token string

	// Allow is [View] or [Act]. Default View.
	Allow Permission
	// JournalFile is the file of the operator's journal: one line before each change, and one after it. It is
	// needed with Act, may be shared with other consoles and the peerledger command, and is created if it is
	// missing. With View the page of acts reads it. Default "": no such page.
	JournalFile string
	// Reasons are the names of reason numbers, shown beside the numbers and accepted in their place. Default none.
	Reasons map[string]uint32
	// Operator is the name in the journal of each user who acts. Default "": the log-in page asks for a name.
	Operator string

	// UserHeader and RoleHeader are the headers in which a proxy names its user and the user's role. With UserHeader,
	// the journal has this user. With RoleHeader, only users with the role "act" can act, and others only
	// see the pages. Both headers count only from TrustedProxies: then a request that does not come through the
	// proxy cannot act. Users log in all the same. Default "": no header.
	UserHeader, RoleHeader string
	// TrustedProxies are the networks from which the proxy's requests come. The proxy must remove the headers from the
	// requests of its clients. Needed with UserHeader or RoleHeader.
	TrustedProxies []netip.Prefix
}

const (
	minToken = 24
	maxToken = 200
)

// Validate returns all errors in the configuration at once. They match [accounts.ErrInvalid] and
// name the field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "console", Field: field, Reason: reason})
		}
	}
	check(c.Book != nil, "Book", "is needed")
	for field, value := range map[string]time.Duration{
		"StuckAfter": c.StuckAfter, "Interval": c.Interval, "Timeout": c.Timeout, "ExportTimeout": c.ExportTimeout,
	} {
		check(value >= 0, field, "must not be negative")
	}
	check(c.MaxOrders >= 0, "MaxOrders", "must not be negative")
	check(c.MaxStreams >= 0, "MaxStreams", "must not be negative")
	check(c.Token == "" || len(c.Token) >= minToken && len(c.Token) <= maxToken, "Token", fmt.Sprintf("must have %d to %d characters", minToken, maxToken))
	for _, host := range c.Hosts {
		_, _, err := net.SplitHostPort(host)
		check(host != "" && err != nil && !strings.ContainsAny(host, "/: "), "Hosts", fmt.Sprintf("%q must be a host name without port, as in ops.example", host))
	}
	if _, err := parsePublicURL(c.PublicURL); err != nil {
		check(false, "PublicURL", err.Error())
	}
	c.validateActing(check)
	return errors.Join(errs...)
}

// parsePublicURL returns the parts of a public URL; "" is the empty URL.
func parsePublicURL(text string) (*url.URL, error) {
	if text == "" {
		return new(url.URL), nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery+u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q must be an address as in https://ops.example/console/", text)
	}
	return u, nil
}

func (c Config) withDefaults() Config {
	c.StuckAfter = cmp.Or(c.StuckAfter, 10*time.Minute)
	c.Interval = cmp.Or(c.Interval, 2*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.ExportTimeout = cmp.Or(c.ExportTimeout, 5*time.Minute)
	c.MaxOrders = cmp.Or(c.MaxOrders, 500)
	c.MaxStreams = cmp.Or(c.MaxStreams, 64)
	if c.Peers == nil {
		c.Peers = func(accounts.Asset) []string { return nil }
	}
	c.Peers = oneAtATime(c.Peers)
	return c
}

// oneAtATime makes calls of Config.Peers wait for each other: looks and statements ask for names.
func oneAtATime(peers func(accounts.Asset) []string) func(accounts.Asset) []string {
	turn := make(chan struct{}, 1)
	return func(asset accounts.Asset) []string {
		turn <- struct{}{}
		defer func() { <-turn }()
		return peers(asset)
	}
}
