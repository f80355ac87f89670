// Connector is a small connector that runs as long as it is let: it sends packets between
// three peers, has them settled, and serves its health and its metrics. It is what
// deploy/ starts beside TigerBeetle, and a pattern for the wiring of a real one.
//
//	go run ./examples/connector                                # 500 packets on the embedded ledger
//	go run ./examples/connector -ledger cluster -packets 0 -rate 20 -listen 127.0.0.1:9464
//
// With -ledger cluster it keeps its books on the cluster that TIGERBEETLE_CLUSTER_ID and
// TIGERBEETLE_ADDRESSES name. -packets 0 is until it is interrupted (SIGINT, SIGTERM). At
// its end it reads the books: what came in must be what went out.
//
// It serves /livez (the process runs), /readyz (the ledger answers a look-up, over a session
// that the connector has anyway: a probe that opened its own would take one of few) and
// /metrics. -check URL asks one of them and ends with status 0 or 1, for health checks in
// images without curl.
//
// It ends with status 1 if the books do not add up or something fails, and with 2 if the
// command line is wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := runConnector(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "connector:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "connector:", err)
		os.Exit(1)
	}
}

// errUsage is matched by the errors of a wrong command line.
var errUsage = errors.New("usage")

// options are the command line.
type options struct {
	ledger  string
	packets int           // 0: until it is interrupted
	rate    float64       // packets a second; 0: as fast as it goes
	seed    uint64        // of the traffic
	listen  string        // "" is nowhere
	grace   time.Duration // for all that is left to do at the end
	check   string
	json    bool
}

func parseFlags(args []string, stderr io.Writer) (opts options, err error) {
	flags := flag.NewFlagSet("connector", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.ledger, "ledger", "embedded", "`which` ledger: embedded, or cluster, which the environment names")
	flags.IntVar(&opts.packets, "packets", 500, "how many `packets` to send; 0 is until it is interrupted")
	flags.Float64Var(&opts.rate, "rate", 0, "`packets` a second; 0 is as fast as it goes")
	flags.Uint64Var(&opts.seed, "seed", 1, "`number` that the traffic is drawn from")
	flags.StringVar(&opts.listen, "listen", "", "serve /livez, /readyz and /metrics on this `address`")
	flags.DurationVar(&opts.grace, "grace", 15*time.Second, "`time` to finish what is under way after an interruption")
	flags.StringVar(&opts.check, "check", "", "ask this `URL`, and end with status 0 if it answers 200")
	flags.BoolVar(&opts.json, "json", false, "print the summary as JSON")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return opts, err
		}
		return opts, fmt.Errorf("%w: %w", errUsage, err)
	}
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("%w: no arguments are taken after the flags; got %q", errUsage, flags.Args())
	case opts.ledger != "embedded" && opts.ledger != "cluster":
		err = fmt.Errorf("%w: -ledger is embedded or cluster, not %q", errUsage, opts.ledger)
	case opts.packets < 0 || opts.rate < 0 || opts.grace <= 0:
		err = fmt.Errorf("%w: -packets and -rate must not be negative, and -grace must be above 0", errUsage)
	}
	return opts, err
}

func runConnector(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opts, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	if opts.check != "" {
		return checkHealth(ctx, opts.check)
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	c, err := openConnector(ctx, opts, log)
	if err != nil {
		return err
	}
	if err := c.serveOn(opts.listen); err != nil {
		return errors.Join(err, c.closeConnector(opts.grace))
	}
	sum, err := c.runTraffic(ctx, opts)
	if err != nil {
		return err
	}
	if opts.json {
		return json.NewEncoder(stdout).Encode(sum)
	}
	_, err = fmt.Fprint(stdout, sum)
	return err
}

// checkHealth asks a health check of another process.
func checkHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("%w: -check: %w", errUsage, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // what it says does not matter
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
