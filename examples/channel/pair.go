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

// pair are the two processes.
type pair struct {
	setups    [2]setup
	errOut    io.Writer
	processes [2]*process
	clients   [2]*http.Client
	kills     int
}

// process is one life of a connector.
type process struct {
	command *exec.Cmd
	ended   chan struct{} // closed when the process is gone
	err     error         // how it ended; after ended
}

func startBoth(setups [2]setup, errOut io.Writer) (*pair, error) {
	p := &pair{setups: setups, errOut: errOut}
	for i, s := range setups {
		p.clients[i] = &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", s.socketPath(s.Name))
			},
			DisableKeepAlives: true, // the process behind it is another one now and then
		}}
	}
	for i := range setups {
		if err := p.startConnector(i); err != nil {
			return nil, errors.Join(err, p.endBoth())
		}
	}
	return p, nil
}

// startConnector starts a connector, this very program.
func (p *pair) startConnector(i int) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command(program)
	c.Env = append(os.Environ(), connectorEnv+"="+p.setups[i].pathOf())
	c.Stderr = p.errOut
	if err := c.Start(); err != nil {
		return err
	}
	life := &process{command: c, ended: make(chan struct{})}
	go func() { // ended by the process, which end waits for
		life.err = c.Wait()
		close(life.ended)
	}()
	p.processes[i] = life
	return nil
}

// killConnector takes a connector away in the middle of whatever it does, and starts it again.
func (p *pair) killConnector(i int) error {
	if err := p.processes[i].command.Process.Kill(); err != nil {
		return err
	}
	<-p.processes[i].ended
	p.kills++
	return p.startConnector(i)
}

// endBoth ends both in order.
func (p *pair) endBoth() error {
	var errs []error
	for _, life := range p.processes {
		if life == nil {
			continue
		}
		_ = life.command.Process.Signal(syscall.SIGTERM) // an error means that it is gone
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

// askConnector asks a connector until it answers. One that has ended by itself does not.
func (p *pair) askConnector(ctx context.Context, i int, path string) (books, error) {
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

// askBoth asks both.
func (p *pair) askBoth(ctx context.Context, path string) (all [2]books, err error) {
	for i := range all {
		if all[i], err = p.askConnector(ctx, i, path); err != nil {
			return all, err
		}
	}
	return all, nil
}

// awaitTraffic waits until all packets are through. On the way it kills one of the two now and
// then.
func (p *pair) awaitTraffic(ctx context.Context, opts options, shown progress.Progress) error {
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

// finishPayments has both pay what they still owe, and redeem what they were paid.
func (p *pair) finishPayments(ctx context.Context) (r report, err error) {
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

// compareBooks compares the books of the two: what one owes is owed to the other, what one has paid
// is what the other has received and what the claims say, and nothing is under way.
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
