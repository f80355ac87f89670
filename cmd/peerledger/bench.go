package main

import (
	"flag"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/internal/bench"
	"github.com/peerledger/peerledger/internal/replay"
	"github.com/peerledger/peerledger/ledger/cluster"
)

func (a *app) newBenchCommand() *cobra.Command {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	b := bench.Define(flags)
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the recorder against calls of TigerBeetle's client",
		Long: `Measure the recorder against hand-batched and single calls of the ledger's client, on the
embedded ledger or on the configured cluster (--ledger cluster). On a cluster the command
writes its own accounts and transfers, which stay: use a cluster made for measurements. The
package comment of examples/bench explains the columns.`,
		Example: "  peerledger bench\n  peerledger bench --ledger cluster --yes --packets 1000000 --max 30s --count 5",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b.OnCluster(func() (cluster.Config, error) {
				file, err := a.readConfig()
				if err != nil {
					return cluster.Config{}, err
				}
				cfg, err := a.resolveCluster(file)
				cfg.Sessions = 0 // each measurement sets its own number
				return cfg, err
			})
			onCluster := cmd.Flags().Lookup("ledger").Value.String() == "cluster"
			if !onCluster && (a.clusterID != "" || len(a.addresses) > 0) {
				return fmt.Errorf("%w: --cluster-id and --addresses are for --ledger cluster", errUsage)
			}
			if onCluster && !a.yes {
				return fmt.Errorf("%w: bench writes accounts and transfers that stay: use a cluster made for it, and --yes", errUsage)
			}
			run := func(*change) error {
				return b.Run(cmd.Context(), cmd.Flags().Changed, a.stdout, a.stderr, a.stderrIsTerminal)
			}
			if !onCluster {
				return run(nil)
			}
			return a.recordAct(&change{Action: "measure on the cluster"}, run)
		},
	}
	cmd.Flags().AddGoFlagSet(flags)
	a.addYesFlag(cmd)
	return cmd
}

func (a *app) newReplayCommand() *cobra.Command {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	r := replay.Define(flags)
	cmd := &cobra.Command{
		Use:   "replay [trace.jsonl]",
		Short: "Replay recorded packets and compare the books with the balances at their end",
		Long: `Replay a packet trace into a new embedded ledger and compare the books with the balances at
the trace's end. Without a file, replay a trace of the Interledger reference connector.`,
		Args: rangeArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := ""
			if len(args) == 1 {
				file = args[0]
			}
			return r.Run(cmd.Context(), file, a.stdout, a.stderr, a.stderrIsTerminal)
		},
	}
	cmd.Flags().AddGoFlagSet(flags)
	return cmd
}
