package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/peerledger/peerledger/console"
)

// linkPrinter prints a link when the console starts, and further ones when the last was used or expired.
type linkPrinter struct {
	used chan struct{} // holds an element if a link was used
	show func() error  // prints a new link
	once bool          // print at the start alone
}

// lastPrint is the time for which the end of the command waits for a line that is being printed.
const lastPrint = time.Second

// printDuring prints links while serve runs. If the first cannot be printed, printDuring ends serve and
// returns the error. A stopped terminal, whose writes wait, holds neither the pages nor their end.
func (p *linkPrinter) printDuring(ctx context.Context, serve func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	printed := make(chan error, 1)
	go func() {
		err := p.print(ctx)
		if err != nil {
			cancel()
		}
		printed <- err
	}()
	err := serve(ctx)
	cancel()
	select {
	case unprinted := <-printed:
		return errors.Join(unprinted, err)
	case <-time.After(lastPrint):
		return err
	}
}

// print prints links until ctx ends. It returns an error of the first: later, a closed output takes no
// links, and the pages go on.
func (p *linkPrinter) print(ctx context.Context) error {
	for first := true; ; first = false {
		made := time.Now() // before a write that may wait
		if err := p.show(); first && err != nil || p.once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.used:
		case <-time.After(time.Until(made.Add(console.LoginLifetime))): // the last link has expired
		}
	}
}

// notice tells print of used links: a log-in uses one up, and so does opening one in a browser that is
// logged in. Both lead to the first page. notice does not wait for the printer.
func (p *linkPrinter) notice(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.ServeHTTP(w, r)
		if r.URL.Path != "/login" || w.Header().Get("Location") != "./" || r.Method != http.MethodPost && !r.URL.Query().Has("token") {
			return
		}
		select {
		case p.used <- struct{}{}:
		default: // a link is about to be printed
		}
	})
}
