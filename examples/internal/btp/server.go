package btp

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"
)

// maxLogins bounds the connections that have not logged in yet.
const maxLogins = 64

// Login is an account at a [Server].
type Login struct {
	Account string
	Token   string // at least one character
	Handler Handler
	Busy    []byte // as ClientConfig.Busy
}

// Server takes the log-ins of peers. It is an [http.Handler]: each request becomes a websocket. A
// peer that logs in again takes the line from its earlier link. All methods may be called
// concurrently.
type Server struct {
	accounts []serverAccount
	logins   chan struct{} // one for each connection that has not logged in
	times    timeouts

	lastLogin atomic.Uint64

	mu     sync.Mutex
	closed bool
	links  sync.WaitGroup // of the requests; none is added after closed
	ctx    context.Context
	cancel context.CancelFunc
}

type serverAccount struct {
	name  string
	token [sha256.Size]byte // hashed, so that a comparison tells nothing about its length
	peer  *Peer
}

// ErrLogin is returned for accounts that no server can have.
var ErrLogin = errors.New("btp: accounts need a token each, and different names")

// NewServer makes a server with accounts. Close the server. The error is [ErrLogin].
func NewServer(logins ...Login) (*Server, error) {
	ctx, cancel := context.WithCancel(context.Background()) // the server outlives its caller; Close cancels it
	s := &Server{logins: make(chan struct{}, maxLogins), times: defaultTimeouts, ctx: ctx, cancel: cancel}
	for _, login := range logins {
		if login.Token == "" || s.Peer(login.Account) != nil {
			cancel()
			return nil, ErrLogin
		}
		s.accounts = append(s.accounts, serverAccount{login.Account, sha256.Sum256([]byte(login.Token)), newPeer(login.Handler, login.Busy)})
	}
	return s, nil
}

// Peer returns the peer of an account, linked or not; nil for an unknown account.
func (s *Server) Peer(account string) *Peer {
	for _, a := range s.accounts {
		if a.name == account {
			return a.peer
		}
	}
	return nil
}

// ServeHTTP serves a websocket until it ends.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	s.links.Add(1)
	s.mu.Unlock()
	defer s.links.Done()
	select {
	case s.logins <- struct{}{}:
	default:
		http.Error(w, "too many log-ins", http.StatusServiceUnavailable)
		return
	}
	l, peer := s.takeLogin(w, r)
	<-s.logins
	if l != nil {
		_ = peer.serve(s.ctx, l) // the end of a link is no failure of the server: the peer logs in again
	}
}

// takeLogin opens the websocket and reads the first frame; nil if the peer may not log in.
func (s *Server) takeLogin(w http.ResponseWriter, r *http.Request) (*link, *Peer) {
	socket, err := websocket.Accept(w, r, nil)
	if err != nil {
		return nil, nil // Accept has answered
	}
	l := newLink(socket, s.times)
	ctx, cancel := context.WithTimeout(s.ctx, s.times.login)
	defer cancel()
	login, err := l.read(ctx)
	if err != nil {
		l.cut()
		return nil, nil
	}
	peer := s.findPeer(&login)
	if peer == nil {
		l.refuse(login.RequestID, "unknown account or token")
		_ = socket.Close(websocket.StatusPolicyViolation, "") // an error means that it has ended
		return nil, nil
	}
	l.number = s.lastLogin.Add(1) // before the answer, after which the peer may log in again
	l.respond(login.RequestID, nil)
	return l, peer
}

// findPeer finds the account of a first frame. A login without a name is found by its token, as
// ilp-plugin-btp sends it.
func (s *Server) findPeer(login *Frame) *Peer {
	if login.Type != TypeMessage || len(login.SubProtocols) == 0 || login.SubProtocols[0].Name != "auth" {
		return nil
	}
	name, token := string(login.find("auth_username")), sha256.Sum256(login.find("auth_token"))
	var found *Peer
	for _, a := range s.accounts { // all, so that the time tells nothing
		if subtle.ConstantTimeCompare(token[:], a.token[:]) == 1 && (name == "" || name == a.name) {
			found = a.peer
		}
	}
	return found
}

// Close cuts all links, and waits for their ends and for the handlers. Close the HTTP server first.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	for _, a := range s.accounts {
		a.peer.close()
	}
	s.links.Wait()
}
