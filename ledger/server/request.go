package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger"
)

// The bodies of a register and its reply, in bytes. The reply has the size of the largest body of a
// request in its first four bytes.
const (
	registerSize      = 256
	registerReplySize = 64
)

// handleRequest checks a request in TigerBeetle's order, and answers it.
func (c *connection) handleRequest(ctx context.Context, r vsr.Request, sum checksum, body []byte) error {
	if !c.claim(r.Client) || r.View > view {
		return nil
	}
	m := Message{Client: r.Client, Operation: Operation(r.Operation), Number: r.Number}
	if done, err := c.interceptMessage(m); done {
		return err
	}
	work, refused, reason := c.checkRequest(r, body)
	switch {
	case refused && reason != 0:
		return c.evict(m, reason)
	case refused:
		return nil
	case m.Operation == Register:
		return c.register(m, r, sum)
	}
	v := c.sessions.admitRequest(r, sum)
	switch {
	case v.evict != 0:
		return c.evict(m, v.evict)
	case v.repeat != nil:
		m.Repeat = true
		return c.answer(m, v.repeat)
	case v.execute == nil:
		return nil
	}
	return c.execute(ctx, m, r, sum, work, v)
}

// work is a checked request.
type work struct {
	rules   rules
	request batches
}

// checkRequest checks what does not depend on the sessions. A refused request without a reason of an
// eviction is ignored.
func (c *connection) checkRequest(r vsr.Request, body []byte) (w work, refused bool, reason vsr.Eviction) {
	operation := Operation(r.Operation)
	rules, known := findRules(operation)
	switch {
	case r.Release < c.cfg.oldest:
		return w, true, vsr.EvictionReleaseTooLow
	case r.Release > c.cfg.release:
		return w, true, vsr.EvictionReleaseTooHigh
	case vsr.HeaderSize+len(body) > c.cfg.RequestMax:
		return w, true, vsr.EvictionInvalidBodySize
	case operation == Register && len(body) == 0:
		return w, true, vsr.EvictionInvalidBodySize
	case operation == Register:
		return w, len(body) != registerSize, 0
	case operation == Noop && len(body) == 0:
		return w, false, 0
	case operation == Noop:
		return w, true, vsr.EvictionInvalidBody
	case !known:
		return w, true, vsr.EvictionInvalidOperation
	}
	request, valid := rules.decodeBody(body)
	return work{rules, request}, !valid, vsr.EvictionInvalidBody
}

// register opens a session, or repeats the answer.
func (c *connection) register(m Message, r vsr.Request, sum checksum) error {
	m.Repeat = true
	reply := c.sessions.register(r, sum, func(op uint64) []byte {
		m.Repeat = false
		message := make([]byte, vsr.HeaderSize+registerReplySize)
		binary.LittleEndian.PutUint32(message[vsr.HeaderSize:], uint32(c.cfg.RequestMax-vsr.HeaderSize))
		return c.sealReply(message, r, sum, op, c.nextTimestamp(0))
	})
	if reply == nil {
		return nil
	}
	return c.answer(m, reply)
}

// execute runs an admitted request on the ledger and answers it.
func (c *connection) execute(ctx context.Context, m Message, r vsr.Request, sum checksum, w work, v verdict) error {
	message := make([]byte, vsr.HeaderSize)
	var last uint64
	if m.Operation != Noop {
		reply, err := w.rules.run(ctx, c.ledger, w.request)
		if err != nil {
			c.sessions.abortRequest(v.execute)
			return c.handleFailure(ctx, m, err)
		}
		last = reply.timestamp
		message = w.rules.encodeReply(reply.batches)
	}
	c.sealReply(message, r, sum, v.op, c.nextTimestamp(last))
	c.sessions.finishRequest(v.execute, r, sum, v.op, message)
	return c.answer(m, message)
}

// handleFailure ends the connection after a request without an answer: its client sends the request
// again. A ledger that has ended ends the server.
func (c *connection) handleFailure(ctx context.Context, m Message, err error) error {
	if errors.Is(err, ledger.ErrOutcomeUnknown) {
		// The ledger may have ended with this request. An empty request tells.
		if _, probeErr := c.ledger.LookupAccounts(ctx, nil); errors.Is(probeErr, ledger.ErrClosed) {
			err = probeErr
		}
	}
	switch {
	case errors.Is(err, errUnsupported):
		return c.evict(m, vsr.EvictionInvalidOperation)
	case errors.Is(err, ledger.ErrTooMuchData):
		return c.evict(m, vsr.EvictionInvalidBody)
	case errors.Is(err, ledger.ErrClosed):
		c.stop(fmt.Errorf("server: %v: %w", m.Operation, err))
	default:
		c.cfg.Log.Warn("a request has failed, and its client will repeat the request", "operation", m.Operation.String(), "cause", err)
	}
	return fmt.Errorf("%v: %w", m.Operation, err)
}

// encodeReply returns a message with the body of a reply, and with room for its header.
func (r *rules) encodeReply(reply batches) []byte {
	size := vsr.HeaderSize + len(reply.elements)
	if !r.multiBatch {
		return append(make([]byte, vsr.HeaderSize, size), reply.elements...)
	}
	message := make([]byte, vsr.HeaderSize, size+trailerSize(len(reply.counts), r.result))
	return appendBatches(message, reply, r.result)
}

// sealReply writes the header of a reply in front of its body.
func (c *connection) sealReply(message []byte, r vsr.Request, sum checksum, op, timestamp uint64) []byte {
	header := vsr.Reply{
		View: view, Release: r.Release, RequestChecksum: sum, Client: r.Client,
		Op: op, Timestamp: timestamp, Request: r.Number, Operation: r.Operation,
	}.Encode(c.cfg.Cluster, message[vsr.HeaderSize:])
	copy(message, header[:])
	return message
}
