package rfc0038

import (
	"context"
	"net/http"

	"github.com/peerledger/peerledger/accounts"
)

// serveMessage relays a message. Its key is not looked at: engines send any or none, and a repeated message is a
// message. No engine was seen to depend on the type of the answer, and all take octets.
func (s *Server) serveMessage(w http.ResponseWriter, request *http.Request, account accounts.PeerAccount) {
	if s.cfg.Relay == nil {
		s.refuse(w, http.StatusNotFound, "messages are not relayed here")
		return
	}
	body, ok := s.readBody(w, request, s.cfg.MaxMessage)
	if !ok {
		return
	}
	ctx, cancel := s.callContext(request)
	defer cancel()
	answer, err := s.relayMessage(ctx, account, body)
	if err != nil {
		s.counts.messagesFailed.Add(1)
		s.cfg.Events.MessageFailed(account, err)
		status := http.StatusBadGateway
		if ctx.Err() != nil {
			status = http.StatusGatewayTimeout
		}
		http.Error(w, "the peer did not take the message", status)
		return
	}
	s.counts.relayed.Add(1)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(answer)
}

func (s *Server) relayMessage(ctx context.Context, account accounts.PeerAccount, message []byte) ([]byte, error) {
	release, err := s.relays.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.cfg.Relay(ctx, account, message)
}
