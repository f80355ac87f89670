// Package program runs the main function of an example.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/term"
)

// Main is a program that takes its arguments and streams as parameters. terminal reports
// whether stderr is a terminal.
type Main func(ctx context.Context, args []string, stdout, stderr io.Writer, terminal bool) error

// Run calls main with the arguments and streams of the process and returns the exit status.
// An interrupt ends the context of main; a second one ends the process at once. After an
// error Run prints name and error.
//
// The status is 0 after success and after [flag.ErrHelp], 2 if the error matches usage, and
// else 1.
func Run(name string, usage error, main Main) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the process
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	return reportError(os.Stderr, name, usage, main(ctx, os.Args[1:], os.Stdout, os.Stderr, terminal))
}

// reportError prints err, if any, and returns the exit status for it.
func reportError(stderr io.Writer, name string, usage, err error) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	if errors.Is(err, usage) {
		return 2
	}
	return 1
}
