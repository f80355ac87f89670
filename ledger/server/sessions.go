package server

import (
	"sync"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
)

// checksum is the checksum of a message, and so its identity.
type checksum = [16]byte

// sessions are the sessions of all clients. A session answers each request once: its client repeats
// a request until it has the answer, on any connection.
//
// A request goes through admitRequest, which starts its execution, and through finishRequest or
// abortRequest. A copy that comes meanwhile is ignored, because its original will be answered.
type sessions struct {
	limit int

	mu       sync.Mutex
	byClient map[uint128.Uint128]*session
	op       uint64 // the number of the newest request
}

// session is the session of one client. All fields are under sessions.mu.
type session struct {
	number    uint64
	release   vsr.Release // of the last answered request
	request   uint32      // the last answered request
	checksum  checksum    // of this request
	context   checksum    // of its reply
	reply     []byte      // the message
	lastOp    uint64      // of this request
	executing bool
}

// firstOp precedes the op of the first session, which is 2 in a new cluster.
const firstOp = 1

func newSessions(limit int) *sessions {
	return &sessions{limit: limit, byClient: map[uint128.Uint128]*session{}, op: firstOp}
}

// verdict is the decision on a request. At most one of execute, repeat and evict is set; without
// any, the request is ignored.
type verdict struct {
	execute *session
	op      uint64 // of the request to execute
	repeat  []byte // the message that answered the request before
	evict   vsr.Eviction
}

// admitRequest decides what happens to a request with this checksum that is no register.
func (s *sessions) admitRequest(r vsr.Request, sum checksum) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.byClient[r.Client]
	switch {
	case known == nil:
		return verdict{evict: vsr.EvictionNoSession}
	case r.Session < known.number:
		return verdict{evict: vsr.EvictionSessionTooLow}
	case r.Session > known.number:
		return verdict{}
	case r.Release != known.release:
		return verdict{evict: vsr.EvictionSessionReleaseMismatch}
	case r.Number == known.request && sum == known.checksum:
		return verdict{repeat: known.reply}
	case r.Number != known.request+1 || r.Parent != known.context || known.executing:
		return verdict{}
	}
	known.executing = true
	s.op++
	return verdict{execute: known, op: s.op}
}

// finishRequest stores the answer to a request that admitRequest let execute.
func (s *sessions) finishRequest(executed *session, r vsr.Request, sum checksum, op uint64, reply []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	executed.answered(r, sum, op, reply)
}

func (e *session) answered(r vsr.Request, sum checksum, op uint64, reply []byte) {
	e.executing = false
	e.release, e.request, e.checksum, e.lastOp, e.reply = r.Release, r.Number, sum, op, reply
	e.context = vsr.DecodeReply((*vsr.Header)(reply)).Context
}

// abortRequest ends the execution of a request without an answer. The client may send it again.
func (s *sessions) abortRequest(executed *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	executed.executing = false
}

// register opens the session of a client, or finds the answer to a register that is repeated.
// encode returns the reply for the number of the session. The result is the reply, or nil if the
// register is ignored.
func (s *sessions) register(r vsr.Request, sum checksum, encode func(op uint64) []byte) (reply []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.byClient[r.Client]; known != nil {
		if known.request == 0 && known.checksum == sum {
			return known.reply
		}
		return nil
	}
	if len(s.byClient) >= s.limit {
		s.evictOldest()
	}
	s.op++
	opened := &session{number: s.op}
	s.byClient[r.Client] = opened
	reply = encode(s.op)
	opened.answered(r, sum, s.op, reply)
	return reply
}

// evictOldest removes the session that has executed nothing for longest. mu is held.
func (s *sessions) evictOldest() {
	var oldest uint128.Uint128
	var found *session
	for client, candidate := range s.byClient {
		if found == nil || candidate.lastOp < found.lastOp {
			oldest, found = client, candidate
		}
	}
	delete(s.byClient, oldest)
}

// isGone reports whether a ping names a session that is gone. A number above every session so far is
// none of this server's, and TigerBeetle answers it with a pong.
func (s *sessions) isGone(p vsr.Ping) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byClient[p.Client] == nil && p.Session != 0 && p.Session <= s.op
}

// forgetAll removes every session.
func (s *sessions) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.byClient)
}

// count returns the number of sessions.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byClient)
}
