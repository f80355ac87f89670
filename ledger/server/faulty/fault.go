package faulty

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/peerledger/peerledger/ledger/server"
)

// Fault disturbs some messages. The faults of a server are asked in the order of their injection,
// and the first that applies acts.
type Fault struct {
	// On picks messages. Default [Requests]() for every request but registers.
	On func(server.Message) bool
	// Skip is the number of picked messages to leave alone first.
	Skip int
	// Times is the number of messages to disturb. A negative number means all. Default 1.
	Times int
	// Do is the disturbance. It has no default.
	Do Action
}

// Requests picks the requests of the given operations, or without any every request but registers.
func Requests(operations ...server.Operation) func(server.Message) bool {
	return func(m server.Message) bool {
		if len(operations) == 0 {
			return m.Operation != 0 && m.Operation != server.Register
		}
		return slices.Contains(operations, m.Operation)
	}
}

// Pings picks pings.
func Pings() func(server.Message) bool {
	return func(m server.Message) bool { return m.Operation == 0 }
}

// Everything picks every message.
func Everything() func(server.Message) bool { return func(server.Message) bool { return true } }

// Action is a disturbance of a message: see the functions that return one.
type Action struct {
	before func() error // an error of server.Config.OnRequest
	after  func(*answer) error
}

// answer is an answer on its way.
type answer struct {
	ctx     context.Context
	message []byte
	send    func([]byte) error
	later   func(func()) // runs a function in a goroutine that the server waits for
}

// errCut ends a connection.
var errCut = errors.New("faulty: the test ends the connection")

// DropRequest loses a request: it is not executed, and not answered.
func DropRequest() Action { return Action{before: func() error { return server.ErrIgnore }} }

// CutBefore ends the connection before the request is executed.
func CutBefore() Action { return Action{before: func() error { return errCut }} }

// Evict evicts the client in answer to the request, which is not executed.
// [server.EvictionReleaseTooLow] and [server.EvictionReleaseTooHigh] refuse its release.
func Evict(reason server.Eviction) Action {
	return Action{before: func() error { return &server.EvictError{Reason: reason} }}
}

// DropAnswer loses an answer. The client repeats its request and gets the same answer.
func DropAnswer() Action { return Action{after: func(*answer) error { return nil }} }

// CutAfter ends the connection in place of an answer: the request is executed.
func CutAfter() Action { return Action{after: func(*answer) error { return errCut }} }

// HoldAnswer sends an answer when the test closes release. Other messages pass the answer.
func HoldAnswer(release <-chan struct{}) Action {
	return Action{after: func(a *answer) error {
		a.later(func() {
			select {
			case <-release:
				_ = a.send(a.message) // fails if the connection has ended
			case <-a.ctx.Done():
			}
		})
		return nil
	}}
}

// DelayAnswer sends an answer late. Other messages pass the answer.
func DelayAnswer(by time.Duration) Action {
	return Action{after: func(a *answer) error {
		a.later(func() {
			select {
			case <-time.After(by):
				_ = a.send(a.message) // fails if the connection has ended
			case <-a.ctx.Done():
			}
		})
		return nil
	}}
}

// RepeatAnswer sends an answer twice.
func RepeatAnswer() Action {
	return Action{after: func(a *answer) error {
		return errors.Join(a.send(a.message), a.send(a.message))
	}}
}

// StaleAnswers sends an answer twice, between two copies of the answer that the fault disturbed
// before, which may be another client's.
func StaleAnswers() Action {
	var mu sync.Mutex
	var before []byte
	return Action{after: func(a *answer) error {
		mu.Lock()
		stale := before
		before = a.message
		mu.Unlock()
		return errors.Join(a.send(stale), a.send(a.message), a.send(a.message), a.send(stale))
	}}
}

// TruncateAnswer sends the first bytes of an answer, and ends the connection. A negative number
// counts as 0.
func TruncateAnswer(bytes int) Action {
	return Action{after: func(a *answer) error {
		return errors.Join(a.send(a.message[:max(0, min(bytes, len(a.message)))]), errCut)
	}}
}
