package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/connectorbooks"
)

// connectorImport has the flags of an import of a running connector.
type connectorImport struct {
	dryRun bool
	reason string // a number or a name, as parseReason reads it
}

func (a *app) newConnectorImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Import the peers of another connector, with their lines and balances",
		Long: `Read the answers of another connector's own programming interface, and list what an import would
do: peers, credit lines, balances and settlement settings, each assumption, and what cannot be
carried over. With --yes each peer is provisioned, listed in the configuration, and its balance is
booked as an adjustment, once under a key of the connector's account.

Assets must be in the configuration before. See docs/operations.md, Moving from another connector.`,
		Example: "  peerledger import rafiki answers.json\n  peerledger import interledger-rs accounts.json balances.json --reason 9 --yes",
		Args:    requireSubcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newRafikiImportCommand(), a.newInterledgerRSImportCommand())
	return cmd
}

func (a *app) newRafikiImportCommand() *cobra.Command {
	peerID := string(connectorbooks.PeerIDAddress)
	cmd := &cobra.Command{
		Use: "rafiki file...", Short: "Import the peers of a Rafiki",
		Long: `Import peers out of answers of Rafiki's Backend Admin API (GraphQL): the queries assets and peers,
each with pageInfo and edges, and accountingTransfers of peers. Each file is one answer.

Rafiki's liquidity of a peer is its credit line and its position in one number. Where a peer's
accountingTransfers are complete, deposits less withdrawals are its line, and packets its position.
Else the line is the credit_line of the peer in the configuration, and the rest is its position;
without an entry the whole liquidity is credit line. The liquidity of an asset is booked as
capital.`,
		Example: "  peerledger import rafiki assets.json peers.json\n  peerledger import rafiki answers.json --peer-id name --reason 9 --yes",
	}
	addChoiceFlag(cmd.Flags(), &peerID, "peer-id", "field", "take this field of a peer as its id: address (staticIlpAddress), name or id",
		string(connectorbooks.PeerIDAddress), string(connectorbooks.PeerIDName), string(connectorbooks.PeerIDUUID))
	return a.buildConnectorImport(cmd, func(files []connectorbooks.File) (connectorbooks.Books, error) {
		return connectorbooks.ParseRafiki(connectorbooks.PeerID(peerID), files...)
	})
}

func (a *app) newInterledgerRSImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "interledger-rs file...", Short: "Import the accounts of an interledger-rs",
		Long: `Import accounts out of answers of interledger-rs's HTTP API. Each file is one of: the answer of
GET /accounts; an object with the answers of GET /accounts/NAME/balance by name; an object with the
URLs of settlement engines by asset code, as for PUT /settlement/engines.

The answer of a balance is a floating point number. A balance beyond 15 digits must be given as the
fields balance and prepaid_amount of the account, as they are in the connector's Redis. The line is
-min_balance; settle_threshold and settle_to become settle_at and settle_to.`,
		Example: "  peerledger import interledger-rs accounts.json balances.json engines.json\n  peerledger import interledger-rs accounts.json balances.json --reason 9 --yes",
	}
	return a.buildConnectorImport(cmd, func(files []connectorbooks.File) (connectorbooks.Books, error) {
		return connectorbooks.ParseInterledgerRS(files...)
	})
}

// buildConnectorImport completes a command that imports what parse returns.
func (a *app) buildConnectorImport(cmd *cobra.Command, parse func([]connectorbooks.File) (connectorbooks.Books, error)) *cobra.Command {
	var f connectorImport
	cmd.Args = rangeArgs(1, -1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		reason, err := f.parse(a)
		if err != nil {
			return err
		}
		files, err := readAnswers(args)
		if err != nil {
			return err
		}
		books, err := parse(files)
		if err != nil {
			return fmt.Errorf("%w: %w; nothing was imported", errUsage, err)
		}
		return a.withSession(cmd.Context(), func(s *session) error { return s.importBooks(cmd.Context(), books, reason) })
	}
	addReasonFlag(cmd.Flags(), &f.reason, "that is kept with the bookings; not 0; required with --yes")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the plan alone, which is also what the command does without --yes")
	a.addListFlags(cmd)
	a.addYesFlag(cmd)
	return cmd
}

// parse checks the flags, and returns the number of the reason.
func (f *connectorImport) parse(a *app) (uint32, error) {
	reason, err := a.parseReason(f.reason)
	switch {
	case err != nil:
		return 0, err
	case f.dryRun && a.yes:
		return 0, fmt.Errorf("%w: --dry-run and --yes contradict each other", errUsage)
	case a.yes && reason == 0:
		return 0, fmt.Errorf("%w: give the reason of the bookings with --reason, as a number or by its name in the configuration", errUsage)
	default:
		return reason, nil
	}
}

// readAnswers reads files, each of at most [connectorbooks.MaxSize] bytes.
func readAnswers(names []string) (files []connectorbooks.File, err error) {
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		data, err := io.ReadAll(io.LimitReader(f, connectorbooks.MaxSize+1))
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		files = append(files, connectorbooks.File{Name: name, Data: data})
	}
	return files, nil
}

// importBooks prints the plan of an import, and makes the import with --yes.
func (s *session) importBooks(ctx context.Context, books connectorbooks.Books, reason uint32) error {
	plan, err := s.planImport(ctx, books)
	if err != nil {
		return err
	}
	if s.yes {
		if err := plan.refuseObstacles(); err != nil {
			return err
		}
		if err := s.writeImport(ctx, plan, reason); err != nil {
			return err
		}
	}
	return s.printImport(plan)
}
