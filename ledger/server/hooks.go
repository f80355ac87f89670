package server

import (
	"errors"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
)

// Message describes a client's message, or the answer to it, for [Config.OnRequest] and
// [Config.OnAnswer].
type Message struct {
	Client    uint128.Uint128
	Operation Operation // 0 of a ping
	Number    uint32    // of the request in its session: 0 of a register and a ping, then 1, 2, 3, ...
	Repeat    bool      // the answer was sent before; false in OnRequest
}

// ErrIgnore makes the server ignore a message: see [Config.OnRequest].
var ErrIgnore = errors.New("server: ignore the message")

// EvictError makes the server evict a client: see [Config.OnRequest].
type EvictError struct {
	Reason Eviction
}

func (e *EvictError) Error() string {
	return fmt.Sprintf("server: evict the client: %v", e.Reason)
}

// Eviction is the reason for which a server ends a client, with TigerBeetle's number.
type Eviction = vsr.Eviction

// The reasons. Clients report the second and third as errors of their own, and all others as one
// error.
const (
	EvictionNoSession              = vsr.EvictionNoSession
	EvictionReleaseTooLow          = vsr.EvictionReleaseTooLow
	EvictionReleaseTooHigh         = vsr.EvictionReleaseTooHigh
	EvictionInvalidOperation       = vsr.EvictionInvalidOperation
	EvictionInvalidBody            = vsr.EvictionInvalidBody
	EvictionInvalidBodySize        = vsr.EvictionInvalidBodySize
	EvictionSessionTooLow          = vsr.EvictionSessionTooLow
	EvictionSessionReleaseMismatch = vsr.EvictionSessionReleaseMismatch
)
