package btp

import (
	"context"
	"fmt"
	"time"

	"github.com/coder/websocket"
)

// timeouts bound the parts of a link's life.
type timeouts struct {
	login        time.Duration // for the first frame of each side
	write        time.Duration // for a frame to be taken by the peer
	pingInterval time.Duration
	pong         time.Duration // for the answer to a ping
}

var defaultTimeouts = timeouts{login: 5 * time.Second, write: 10 * time.Second, pingInterval: 20 * time.Second, pong: 10 * time.Second}

// link is a websocket to a peer.
type link struct {
	socket *websocket.Conn
	times  timeouts
	number uint64 // of the log-in at a server; 0 at a client
}

func newLink(socket *websocket.Conn, times timeouts) *link {
	socket.SetReadLimit(MaxFrame)
	return &link{socket: socket, times: times}
}

// write writes a frame. A peer that does not take it in time is cut off, as after any error: the
// library closes the socket.
func (l *link) write(frame []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), l.times.write) // half a frame ends the link, so no caller may end it
	defer cancel()
	_ = l.socket.Write(ctx, websocket.MessageBinary, frame) // the reader of the link sees its end
}

// read reads a frame.
func (l *link) read(ctx context.Context) (Frame, error) {
	kind, body, err := l.socket.Read(ctx)
	if err != nil {
		return Frame{}, err
	}
	if kind != websocket.MessageBinary {
		return Frame{}, fmt.Errorf("%w: a text message", ErrMalformed)
	}
	return ParseFrame(body)
}

// cut ends the link at once.
func (l *link) cut() { _ = l.socket.CloseNow() } // an error means that it has ended

// serve makes l the peer's link, and handles its frames until the link ends. It returns why.
func (p *Peer) serve(ctx context.Context, l *link) error {
	ctx, cancel := context.WithCancel(ctx)
	pinged := make(chan struct{})
	go func() { // ends with ctx, and serve waits for it
		defer close(pinged)
		l.pingPeer(ctx)
	}()
	p.useLink(l)
	err := p.readFrames(ctx, l)
	p.dropLink(l)
	cancel()
	l.cut()
	<-pinged
	return err
}

// readFrames handles frames until the link ends. It waits for nothing but frames.
func (p *Peer) readFrames(ctx context.Context, l *link) error {
	for {
		f, err := l.read(ctx)
		if err != nil {
			return err
		}
		switch f.Type {
		case TypeResponse, TypeError:
			p.deliverAnswer(f)
		case TypeTransfer:
			p.startIn(p.unread, func() { l.refuse(f.RequestID, "no transfers: settlement is outside of BTP") })
		case TypeMessage:
			switch packet := f.ILP(); {
			case len(packet) == 0:
				p.startIn(p.unread, func() { l.respond(f.RequestID, nil) })
			case !p.handleMessage(f.RequestID, packet) && len(p.busy) > 0:
				p.startIn(p.unread, func() { l.respond(f.RequestID, p.busy) })
			}
		}
	}
}

// refuse answers a request with an error.
func (l *link) refuse(id uint32, reason string) {
	if frame, err := newErrorFrame(id, reason, time.Now()).AppendBinary(nil); err == nil {
		l.write(frame)
	}
}

// respond answers a request with a packet, or with no sub-protocol: a log-in, or a message without a
// packet.
func (l *link) respond(id uint32, packet []byte) {
	if frame, err := newPacketFrame(TypeResponse, id, packet).AppendBinary(nil); err == nil {
		l.write(frame)
	}
}

// pingPeer pings until ctx ends. A peer that does not answer in time is cut off.
func (l *link) pingPeer(ctx context.Context) {
	ticker := time.NewTicker(l.times.pingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		answered, cancel := context.WithTimeout(ctx, l.times.pong)
		err := l.socket.Ping(answered)
		cancel()
		if err != nil {
			l.cut()
			return
		}
	}
}
