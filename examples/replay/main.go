// Replay records a trace of a real connector's packets and compares the books with
// the balances that the connector ended with.
//
//	go run ./examples/replay [-settle trace|engine] [-twice] [-json] [trace.jsonl]
//
// Without a file it replays a trace of the Interledger reference connector. It
// ends with status 1 if the books differ, a packet was refused that the connector
// forwarded, or the trace cannot be read, and with status 2 if the command line
// is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/term"

	"github.com/peerledger/peerledger/internal/replay"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	err := replay.Main(ctx, os.Args[1:], os.Stdout, os.Stderr, terminal)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		stop()
		os.Exit(exitStatus(err))
	}
}

func exitStatus(err error) int {
	if errors.Is(err, replay.ErrUsage) {
		return 2
	}
	return 1
}
