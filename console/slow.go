package console

import (
	"context"
	"net/http"
	"time"
)

// A client that stops sending or reading must not hold a connection, a read of the ledger or Close. The
// console sets the deadlines of each request itself, since it may be mounted in a server without any. A
// server that supports no deadlines has rules of its own, so their errors do not matter.

// answerTime is the time that sending a page may take. Downloads and streams set times of their own.
const answerTime = 30 * time.Second

// limitAnswer bounds the time of sending from now on.
func limitAnswer(w http.ResponseWriter, limit time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit))
}

// limitBody bounds the time of receiving a body, if the request has one. The server receives the body of
// a refused request too, and lifts the limit for the next request of the connection. Without a body there
// is nothing to wait for, and a deadline could end a stream.
func limitBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	}
}

// wakeWrite has the end of ctx end a write that waits for the client. The caller calls stop before it sends
// anything else: after stop, wakeWrite sets no deadline.
func wakeWrite(ctx context.Context, w http.ResponseWriter) (stop func()) {
	woken := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(woken)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now())
	})
	return func() {
		if !cancel() {
			<-woken
		}
	}
}
