package rfc0038

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// ServerConfig configures a [Server].
type ServerConfig struct {
	// Engine books the payments that settlement engines report. Required.
	Engine *settlement.Engine
	// Accounts returns the account that engines name by an id in paths, as [AccountIDs.Account] does. Required. An
	// error that matches [ErrUnknownAccount] is answered 404, any other is not answered. Accounts must know an account
	// before the account is created at the engine, since engines send messages during the creation. The peer must be
	// provisioned before, too: a payment of a peer that is not is answered 404. Do not take ids away while an engine may
	// have payments to report: after 404 the engine for ETH drops a payment, and settlement-core reports it again under
	// another key.
	Accounts func(id string) (accounts.PeerAccount, error)
	// Relay passes a message of an engine to the peer's engine, and returns the answer. See [NewMessagePacket].
	// An error is answered 502. Default nil: messages are answered 404.
	Relay func(ctx context.Context, account accounts.PeerAccount, message []byte) (answer []byte, err error)

	// Prefix is the path in front of /accounts, as in "/settlement-api". Default "".
	Prefix string
	// Tokens are bearer tokens of at least 16 visible ASCII characters. A request needs one of them. To change the token,
	// give the old and the new one until every engine has the new one: the answer 401 makes engines drop a payment, or
	// report it under another key. Default none: every request is taken, unless [Server.Listen] was given TLS with client
	// certificates.
	Tokens []string

	// Timeout bounds the booking of a payment, and a call of Relay. Engines give up after 10 s. Default 8 s.
	Timeout time.Duration
	// ReadTimeout bounds the time to read a request. Default 10 s.
	ReadTimeout time.Duration
	// MaxConcurrent bounds the bookings under way, and the relays under way; others wait within Timeout. A relay takes no
	// place of a booking: it waits for a peer. Default 256.
	MaxConcurrent int
	// MaxBody is the largest body of a reported payment, in bytes. Default 16384.
	MaxBody int64
	// MaxMessage is the largest message, in bytes. Default 32767, the data of an ILP packet.
	MaxMessage int64

	// Events are called for what an operator wants to know. Default none.
	Events ServerEvents
}

// minToken is the length of the shortest token that cannot be guessed.
const minToken = 16

// Validate reports all faults of the configuration at once. The errors match [accounts.ErrInvalid] and name the
// field.
func (c ServerConfig) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "rfc0038 server", Field: field, Reason: reason})
		}
	}
	check(c.Engine != nil, "Engine", "is missing")
	check(c.Accounts != nil, "Accounts", "is missing")
	check(c.Prefix == "" || strings.HasPrefix(c.Prefix, "/"), "Prefix", "must begin with a slash")
	check(!strings.ContainsAny(c.Prefix, "%?#"), "Prefix", "must be a path without %, ? and #")
	for _, token := range c.Tokens {
		check(len(token) >= minToken && !strings.ContainsFunc(token, isNoTokenRune), "Tokens",
			fmt.Sprintf("must have at least %d visible ASCII characters each", minToken))
	}
	check(c.Timeout >= 0, "Timeout", reasonNegative)
	check(c.ReadTimeout >= 0, "ReadTimeout", reasonNegative)
	check(c.MaxConcurrent >= 0, "MaxConcurrent", reasonNegative)
	check(c.MaxBody >= 0, "MaxBody", reasonNegative)
	check(c.MaxMessage >= 0, "MaxMessage", reasonNegative)
	return errors.Join(errs...)
}

const reasonNegative = "must not be negative"

func isNoTokenRune(r rune) bool { return r <= ' ' || r > '~' }

func (c ServerConfig) withDefaults() ServerConfig {
	c.Timeout = cmp.Or(c.Timeout, 8*time.Second)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 10*time.Second)
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, 256)
	c.MaxBody = cmp.Or(c.MaxBody, 16<<10)
	c.MaxMessage = cmp.Or(c.MaxMessage, maxMessage)
	c.Events = c.Events.withDefaults()
	return c
}

// Server is the connector's side of RFC 0038: settlement engines report incoming payments to it, and send messages
// through it. It is an [http.Handler], safe for concurrent use, and has no state of its own: any number of servers
// may work on one ledger.
//
// A payment is booked once for its account and key, with the remainder of the conversion to the asset's scale
// ([settlement.Engine.RecordIncomingQuantity]). Paths are PREFIX/accounts/ID/settlements, with the alias settlement, and
// PREFIX/accounts/ID/messages, with any number of slashes between the segments. The answers to a payment are
//
//	201  the payment is booked, by this request or an earlier one: the body is the Quantity of the request. A
//	     payment of 0 is answered so too, and books nothing
//	409  another value is booked under the key
//	422  the value can never be booked, [settlement.ErrUnbookable]: [ServerEvents.Parked]
//	404  the id is unknown, or the peer is not provisioned
//	400, 401, 405, 413, 415  the request can never work
//	none the connection is closed: the payment may or may not be booked. The next repeat finds out
//
// There is no answer 5xx to a payment: engines take it for "not booked" and report the payment again under another
// key, or drop it. Without an answer they repeat the request with the same key.
//
// An engine must have a key of its own for each payment. settlement-xlm (commit a596446) has the constant
// "[object Object]" for all: its second payment of an equal value looks like a repeat of the first, is answered 201, and
// is not booked. No server can tell the two apart. Do not use such an engine before it is mended.
//
// Do not put a [http.ServeMux] in front: it redirects paths with doubled slashes, and an engine that follows the
// redirect takes its answer for a booking. Do not put a handler in front that recovers panics: a connection is
// closed by [http.ErrAbortHandler]. [Server.Listen] and [Server.Serve] do both right.
type Server struct {
	cfg    ServerConfig
	prefix []string
	tokens [][sha256.Size]byte
	books  slots // of bookings under way
	relays slots // of relays under way
	counts serverCounts
}

// NewServer makes a Server. NewServer returns the error of [ServerConfig.Validate]. It does not know the address:
// [Server.Listen] and [Server.Serve] check for [ErrOpenToEverybody] and bound times and sizes of HTTP, and
// [http.ListenAndServe] does neither.
func NewServer(cfg ServerConfig) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, prefix: splitPath(cfg.Prefix), books: make(slots, cfg.MaxConcurrent), relays: make(slots, cfg.MaxConcurrent)}
	for _, token := range cfg.Tokens {
		s.tokens = append(s.tokens, sha256.Sum256([]byte(token)))
	}
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.counts.requests.Add(1)
	if !s.isAuthenticated(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.Header().Set("Connection", "close") // strangers must not keep the places of engines
		s.refuse(w, http.StatusUnauthorized, "a bearer token is needed")
		return
	}
	id, verb, found := s.parsePath(r.URL.EscapedPath())
	if !found {
		s.refuse(w, http.StatusNotFound, "no such path: there are accounts/ID/settlements and accounts/ID/messages")
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.refuse(w, http.StatusMethodNotAllowed, "the method must be POST")
		return
	}
	account, err := s.cfg.Accounts(id)
	switch {
	case errors.Is(err, ErrUnknownAccount):
		s.refuse(w, http.StatusNotFound, "the account is unknown")
		return
	case err != nil:
		s.leaveUnanswered(Report{AccountID: id}, err)
	case verb == verbMessages:
		s.serveMessage(w, r, account)
		return
	}
	s.serveSettlement(w, r, Report{AccountID: id, Account: account})
}

// refuse answers a request that can never work.
func (s *Server) refuse(w http.ResponseWriter, status int, reason string) {
	s.counts.refused.Add(1)
	http.Error(w, reason, status)
}

// leaveUnanswered reports an error, and closes the connection without an answer.
func (s *Server) leaveUnanswered(r Report, err error) {
	s.counts.unanswered.Add(1)
	s.cfg.Events.Unanswered(r, err)
	closeUnanswered()
}

// closeUnanswered closes the connection without an answer.
func closeUnanswered() { panic(http.ErrAbortHandler) }

// slots bound the calls of a kind under way.
type slots chan struct{}

// take waits for a place, for the caller's release.
func (s slots) take(ctx context.Context) (release func(), err error) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for one of %d places: %w", cap(s), ctx.Err())
	}
}

// callContext is the context of a booking or a relay. It goes on when the client has gone: a booking that is begun
// is better finished before the repeat comes.
func (s *Server) callContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), s.cfg.Timeout)
}
