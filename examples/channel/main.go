// Channel is two connectors that pay each other on payment channels: two processes on one
// machine, each with its own ledger, that exchange packets over a socket. When one owes the
// other too much it sends a signed claim, for all that it has paid so far and the new
// payment; the other one books the increase. In the middle both are killed, several times,
// and started again. In the end their books must say the same.
//
//	go run ./examples/channel
//	go run ./examples/channel -packets 20000 -kills 20 -json
package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/term"

	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/ledger"
)

// connectorEnv names the file with the setup of a process that is a connector.
const connectorEnv = "PEERLEDGER_CHANNEL_CONNECTOR"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if path := os.Getenv(connectorEnv); path != "" {
		err = connectorProcess(ctx, path)
	} else {
		err = runBoth(ctx, os.Args[1:], os.Stdout, os.Stderr, term.IsTerminal(int(os.Stderr.Fd())))
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "channel:", err)
		os.Exit(1)
	}
}

// errBooks says that the two books do not agree. It must never be seen.
var errBooks = errors.New("the books of the two connectors do not agree")

type options struct {
	packets, kills int
	seed           uint64
	json           bool
}

func parseFlags(args []string, errOut io.Writer) (opts options, err error) {
	flags := flag.NewFlagSet("channel", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.IntVar(&opts.packets, "packets", 2000, "packets that each connector sends")
	flags.IntVar(&opts.kills, "kills", 4, "how often one of them is killed and started again")
	flags.Uint64Var(&opts.seed, "seed", rand.Uint64(), "`number` that the amounts are drawn from")
	flags.BoolVar(&opts.json, "json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	if opts.packets < 1 || opts.kills < 0 || opts.kills > opts.packets || flags.NArg() > 0 {
		return opts, errors.New("-packets must be 1 or more, -kills 0 to -packets, and there are no arguments")
	}
	return opts, nil
}

// runBoth runs both connectors in a new folder, and compares their books.
func runBoth(ctx context.Context, args []string, out, errOut io.Writer, show bool) (err error) {
	opts, err := parseFlags(args, errOut)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "channel-") // short: the name of a socket may have some 100 bytes
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	setups, err := setupsOf(folder, opts)
	if err != nil {
		return err
	}
	errOut = &locked{to: errOut} // both processes and the progress write to it
	shown := progress.New(errOut, show, "packets", 0)
	shown.Start(2 * opts.packets)
	defer func() { shown.Stop(err) }()
	p, err := startBoth(setups, errOut)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.endBoth()) }()
	if err := p.awaitTraffic(ctx, opts, shown); err != nil {
		return fmt.Errorf("%w (seed %d)", err, opts.seed)
	}
	report, err := p.finishPayments(ctx)
	if err != nil {
		return fmt.Errorf("%w (seed %d)", err, opts.seed)
	}
	return report.printBooks(out, opts)
}

// locked is a writer for several goroutines.
type locked struct {
	mu sync.Mutex
	to io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

// setupsOf writes what each connector is told into a file.
func setupsOf(folder string, opts options) (setups [2]setup, err error) {
	names := [2]string{"ada", "bob"}
	var keys [2]ed25519.PrivateKey
	for i := range keys {
		if _, keys[i], err = ed25519.GenerateKey(nil); err != nil {
			return setups, err
		}
	}
	for i, name := range names {
		peerKey, _ := keys[1-i].Public().(ed25519.PublicKey)
		setups[i] = setup{
			Name: name, Peer: names[1-i], Folder: folder, Packets: opts.packets, Seed: opts.seed,
			Key: keys[i], PeerKey: peerKey,
			Line: ledger.NewAmount(12_000), At: ledger.NewAmount(8_000), Deposit: ledger.NewAmount(1 << 40),
		}
		text, err := json.Marshal(setups[i])
		if err != nil {
			return setups, err
		}
		if err := os.WriteFile(setups[i].pathOf(), text, 0o600); err != nil {
			return setups, err
		}
	}
	return setups, nil
}

func (s setup) pathOf() string { return filepath.Join(s.Folder, s.Name+".json") }

// connectorProcess is one connector, until the process is told to end.
func connectorProcess(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var s setup
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c, err := openConnector(ctx, s)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	err = c.runConnector(ctx)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	return errors.Join(err, c.closeConnector(ending))
}
