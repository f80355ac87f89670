package server

import (
	"errors"
	"fmt"
	"net"

	"lukechampine.com/uint128"
)

// Message describes a client's message, or the answer to it, for [Config.OnRequest] and
// [Config.OnAnswer].
type Message struct {
	Client    uint128.Uint128
	Operation Operation // 0 of a ping
	Number    uint32    // of the request in its session: 0 of a register and a ping, then 1, 2, 3, ...
	Listener  net.Addr  // the address that the client dialled
	Repeat    bool      // the answer was sent before; false in OnRequest
}

// ErrIgnore makes the server ignore a message: see [Config.OnRequest].
var ErrIgnore = errors.New("server: ignore the message")

// EvictError makes the server evict a client: see [Config.OnRequest].
type EvictError struct {
	Reason uint8 // TigerBeetle's number, 1 to 8
}

func (e *EvictError) Error() string {
	return fmt.Sprintf("server: evict the client, reason %d", e.Reason)
}
