package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/internal/progress"
)

// connectorPair is the two processes.
type connectorPair struct {
	setups    [2]setup
	errOut    io.Writer
	processes [2]*process
	clients   [2]*http.Client
	kills     int
}

// process is one run of a connector, from start to end.
type process struct {
	command *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	err     error         // set before ended is closed
}

func startBoth(setups [2]setup, errOut io.Writer) (*connectorPair, error) {
	p := &connectorPair{setups: setups, errOut: errOut}
	for i, s := range setups {
		p.clients[i] = &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", s.socketPath(s.Name))
			},
			DisableKeepAlives: true, // the process behind the socket changes
		}}
	}
	for i := range setups {
		if err := p.startConnector(i); err != nil {
			return nil, errors.Join(err, p.endBoth())
		}
	}
	return p, nil
}

// startConnector starts this program as connector i.
func (p *connectorPair) startConnector(i int) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command(program)
	c.Env = append(os.Environ(), connectorEnv+"="+p.setups[i].configPath())
	c.Stderr = p.errOut
	if err := c.Start(); err != nil {
		return err
	}
	life := &process{command: c, ended: make(chan struct{})}
	go func() { // ends with the process, and endBoth waits for it
		life.err = c.Wait()
		close(life.ended)
	}()
	p.processes[i] = life
	return nil
}

// killConnector kills connector i in the middle of its work and starts it again.
func (p *connectorPair) killConnector(i int) error {
	if err := p.processes[i].command.Process.Kill(); err != nil {
		return err
	}
	<-p.processes[i].ended
	p.kills++
	return p.startConnector(i)
}

// endBoth stops both connectors in order.
func (p *connectorPair) endBoth() error {
	var errs []error
	for _, life := range p.processes {
		if life == nil {
			continue
		}
		_ = life.command.Process.Signal(syscall.SIGTERM) // an error means that the process has ended
		select {
		case <-life.ended:
		case <-time.After(2 * callTimeout):
			_ = life.command.Process.Kill()
			<-life.ended
		}
		errs = append(errs, life.err)
	}
	return errors.Join(errs...)
}

// askConnector repeats a request until the connector answers. If its process has ended by itself,
// askConnector returns an error.
func (p *connectorPair) askConnector(ctx context.Context, i int, path string) (books, error) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = retryAfter, retryAtMost
	return backoff.Retry(ctx, func() (b books, err error) {
		select {
		case <-p.processes[i].ended:
			return b, backoff.Permanent(fmt.Errorf("%s has ended by itself: %w", p.setups[i].Name, p.processes[i].err))
		default:
		}
		err = postJSON(ctx, p.clients[i], path, struct{}{}, &b)
		return b, err
	}, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(time.Minute))
}

// askBoth sends a request to both connectors.
func (p *connectorPair) askBoth(ctx context.Context, path string) (all [2]books, err error) {
	for i := range all {
		if all[i], err = p.askConnector(ctx, i, path); err != nil {
			return all, err
		}
	}
	return all, nil
}

// awaitTraffic waits until all packets are fulfilled. Meanwhile it kills the connectors in turn.
func (p *connectorPair) awaitTraffic(ctx context.Context, opts options, shown progress.Progress) error {
	steps := 0
	for {
		all, err := p.askBoth(ctx, "/books")
		if err != nil {
			return err
		}
		sent := all[0].Sent + all[1].Sent
		for ; int64(steps) < sent; steps++ {
			shown.Step()
		}
		victim := p.kills % 2
		next := int64((p.kills + 1) * opts.packets / (opts.kills + 1))
		switch {
		case p.kills < opts.kills && all[victim].Sent >= next:
			if err := p.killConnector(victim); err != nil {
				return err
			}
		case p.kills == opts.kills && sent == int64(2*opts.packets):
			return nil
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// finishPayments makes both connectors pay their debts and redeem their vouchers.
func (p *connectorPair) finishPayments(ctx context.Context) (r report, err error) {
	if r.before, err = p.askBoth(ctx, "/books"); err != nil {
		return r, err
	}
	for _, path := range []string{"/settle", "/redeem"} {
		if r.after, err = p.askBoth(ctx, path); err != nil {
			return r, err
		}
	}
	if r.after, err = p.askBoth(ctx, "/books"); err != nil {
		return r, err
	}
	r.kills = p.kills
	return r, nil
}

// compareBooks checks three things: the positions are opposite, the payments of each side equal the
// claims of that side and the receipts of the peer, and nothing is under way.
func compareBooks(a, b books) error {
	if negateAmount(a.Position) != b.Position {
		return fmt.Errorf("%w: the position of %s is %s, and of %s %s", errBooks, a.Name, a.Position, b.Name, b.Position)
	}
	for _, x := range [][2]books{{a, b}, {b, a}} {
		from, to := x[0], x[1]
		switch {
		case from.Paid != to.Received || from.Paid != from.Claims:
			return fmt.Errorf("%w: %s has paid %v with claims for %v, and %s has received %v",
				errBooks, from.Name, from.Paid, from.Claims, to.Name, to.Received)
		case !from.Open.IsZero() || !from.Held.IsZero():
			return fmt.Errorf("%w: %s has %v in open orders and %v held", errBooks, from.Name, from.Open, from.Held)
		}
	}
	return nil
}

func negateAmount(position string) string {
	n, ok := new(big.Int).SetString(position, 10)
	if !ok {
		return "no number: " + position
	}
	return n.Neg(n).String()
}
