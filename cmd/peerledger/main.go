// Peerledger is the operator's command: it says what is wrong with a cluster, shows and
// changes peers, credit lines and settlements, and backs a single node up.
//
//	peerledger doctor
//	peerledger balances
//	peerledger credit set alice 500 --yes
//
// It reads which ledger, assets and peers there are from peerledger.yaml (--config), and
// which ledger also from flags and the environment. No ledger is written to without --yes.
// docs/operations.md is the guide; "peerledger help" lists everything.
//
// It ends with one of these statuses:
//
//	0  done, or said what would be; with doctor: nothing is wrong
//	1  failed, or refused
//	2  the command line or the configuration is wrong, also one whose assets are not the ledger's
//	3  the ledger does not answer; nothing was changed
//	4  the outcome is unknown, or an order stays open; what to do is said
//	5  something was found: doctor a problem, verify a difference, trial-balance books that
//	   do not balance
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	// A second signal does no more than the first: whoever stopped a server starts it again.
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
		stdoutIsTerminal: term.IsTerminal(int(os.Stdout.Fd())), stderrIsTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	status := a.runCommand(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}
