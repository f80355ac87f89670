// Channel runs two connectors that pay each other on payment channels. The connectors are two
// processes on one machine, each with its own ledger, and exchange packets over a socket. A connector with too
// large a debt sends a signed claim for the sum of all payments so far and the new payment. The
// peer books the increase. The program kills and restarts both connectors several times. In the
// end the books of both connectors must agree.
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

// connectorEnv names the setup file. A process with this variable is a connector.
const connectorEnv = "PEERLEDGER_CHANNEL_CONNECTOR"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if path := os.Getenv(connectorEnv); path != "" {
		err = runConnectorProcess(ctx, path)
	} else {
		err = runBoth(ctx, os.Args[1:], os.Stdout, os.Stderr, term.IsTerminal(int(os.Stderr.Fd())))
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "channel:", err)
		os.Exit(1)
	}
}

// errBooks is returned when the books of the two connectors disagree: a bug.
var errBooks = errors.New("the books of the two connectors do not agree")

type options struct {
	packets, kills int
	seed           uint64
	json           bool
}

func parseFlags(args []string, errOut io.Writer) (opts options, err error) {
	flags := flag.NewFlagSet("channel", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.IntVar(&opts.packets, "packets", 2000, "`number` of packets that each connector sends")
	flags.IntVar(&opts.kills, "kills", 4, "`number` of kills and restarts")
	flags.Uint64Var(&opts.seed, "seed", rand.Uint64(), "`seed` of the random amounts")
	flags.BoolVar(&opts.json, "json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	if opts.packets < 1 || opts.kills < 0 || opts.kills > opts.packets || flags.NArg() > 0 {
		return opts, errors.New("-packets must be 1 or more, -kills must be 0 to -packets, and no arguments are allowed")
	}
	return opts, nil
}

// runBoth runs both connectors in a new folder and compares their books.
func runBoth(ctx context.Context, args []string, out, errOut io.Writer, onTerminal bool) (err error) {
	opts, err := parseFlags(args, errOut)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "channel-") // short: the path of a socket is limited to about 100 bytes
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	setups, err := writeSetups(folder, opts)
	if err != nil {
		return err
	}
	errOut = &lockedWriter{to: errOut} // written by both processes and the progress
	shown := progress.New(errOut, onTerminal, "packets", 0)
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

// lockedWriter is a writer for several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

// writeSetups writes a setup file for each connector.
func writeSetups(folder string, opts options) (setups [2]setup, err error) {
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
			Line: ledger.NewAmount(12_000), SettleThreshold: ledger.NewAmount(8_000), Deposit: ledger.NewAmount(1 << 40),
		}
		text, err := json.Marshal(setups[i])
		if err != nil {
			return setups, err
		}
		if err := os.WriteFile(setups[i].configPath(), text, 0o600); err != nil {
			return setups, err
		}
	}
	return setups, nil
}

func (s setup) configPath() string { return filepath.Join(s.Folder, s.Name+".json") }

// runConnectorProcess runs one connector until ctx ends.
func runConnectorProcess(ctx context.Context, path string) error {
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
