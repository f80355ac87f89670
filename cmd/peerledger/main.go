// Peerledger is the operator's command. It diagnoses a cluster, shows and changes peers, credit
// lines and settlements, and backs a single node up.
//
//	peerledger doctor
//	peerledger balances
//	peerledger credit set alice 500 --yes
//
// The file peerledger.yaml (--config) names the ledger, the assets and the peers. Flags and the
// environment may name another ledger. No command writes to a ledger without --yes, except
// that serve writes what its clients write.
// docs/operations.md is the guide; "peerledger help" lists the commands.
//
// The exit statuses:
//
//	0  done, or previewed; doctor: nothing is wrong
//	1  failed, or refused; rfc0038 check: a clause failed
//	2  the command line or the configuration is wrong, or its assets are not the ledger's
//	3  the ledger does not answer; nothing was changed
//	4  the outcome is unknown, or an order or packets stay open; the error names the next step
//	5  doctor found a problem, verify or compare a difference, or trial-balance books that do not balance
//
// check has the exit statuses of monitoring plugins: 0 ok, 1 warning, 2 critical, 3 unknown.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	// A second signal has no further effect: backup must still start the server that it stopped.
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
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
