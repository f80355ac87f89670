// Replay records a trace of a real connector's packets and compares the books with the connector's
// final balances.
//
//	go run ./examples/replay [-settle trace|engine] [-twice] [-json] [trace.jsonl]
//
// Without a file it replays a trace of the Interledger reference connector.
//
// Exit status: 1 if the books differ, a packet is refused that the connector forwarded, or the
// trace cannot be read; 2 for a wrong command line.
package main

import (
	"os"

	"github.com/peerledger/peerledger/examples/internal/program"
	"github.com/peerledger/peerledger/internal/replay"
)

func main() { os.Exit(program.Run("replay", replay.ErrUsage, replay.Main)) }
