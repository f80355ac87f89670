package btp

import "time"

// ShortenTimeouts lets the server wait only d for log-ins, for written frames and for answers to
// pings, which it sends as often. Call it before the first request.
func (s *Server) ShortenTimeouts(d time.Duration) {
	s.times = timeouts{login: d, write: d, pingInterval: d, pong: d}
}
