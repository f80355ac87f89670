package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/doctor"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/progress"
)

func (a *app) newPeersCommand() *cobra.Command {
	var asset string
	var conditions []string
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "List the peers in the ledger; add, suspend and close peers",
		Long: `List the peers that the ledger has in each asset, in the order of their provisioning. The
ledger keeps only a hash of a peer's id: names come from the configuration file, and a peer
without an entry is shown by the id of its account. Configured peers that are not in the ledger
are listed as missing, unless --filter names conditions (peerledger balances --help).`,
		Example: "  peerledger peers\n  peerledger peers --filter suspended -o name\n  peerledger peers add alice --credit-line 500 --yes\n  peerledger peers suspend alice --yes",
		Args:    requireSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filters, err := parseFilters(conditions)
			if err != nil {
				return err
			}
			return a.withSession(cmd.Context(), func(s *session) error { return s.listPeers(cmd, asset, filters) })
		},
	}
	a.addListFlags(cmd)
	addFilterFlag(cmd.Flags(), &conditions)
	cmd.PersistentFlags().StringVar(&asset, "asset", "", "in this `asset`, as in USD or USD/9")
	cmd.AddCommand(
		a.newAddPeerCommand(&asset), a.newProvisionCommand(), a.newSuspendCommand(&asset), a.newResumeCommand(&asset),
		a.newClosePeerCommand(&asset), a.newReopenPeerCommand(&asset), a.newStandingCommand(&asset),
	)
	return cmd
}

func (a *app) newAddPeerCommand(asset *string) *cobra.Command {
	var credit string
	cmd := &cobra.Command{
		Use:   "add peer",
		Short: "Provision a peer, with a credit line",
		Long: `Create the accounts of this peer in the ledger, and grant its first credit line: --credit-line,
or the credit_line of the configuration. An existing peer is not changed. The ledger keeps only
a hash of the id: the command also adds a new peer to the configuration file, so that other
commands can show its name.`,
		Example: "  peerledger peers add carol --asset USD --credit-line 500 --yes",
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.mayCreateLedger = true
			return a.withSession(cmd.Context(), func(s *session) error {
				account, asset, err := s.parseAccount(cmd.Context(), args[0], *asset)
				if err != nil {
					return err
				}
				entry, listed := s.chooseEntry(account, asset, credit)
				request := entry
				if credit != "" {
					request.CreditLine = credit
				}
				peer, err := request.parsePeer(asset)
				if err != nil {
					return err
				}
				c := change{
					Action: "provision", Peer: peer.ID, Asset: asset.String(), After: formatLine(asset, peer.CreditLine),
					peerPrefix: " ", afterPrefix: ", with a credit line of ", Note: a.describeNewLedger(),
				}
				present, err := s.book.Balance(cmd.Context(), account)
				exists := err == nil
				if exists {
					c.Note = fmt.Sprintf("The peer already exists, with a credit line of %s, and is not changed (peerledger credit set).", formatLine(asset, present.CreditLine))
				} else if !errors.Is(err, accounts.ErrNotProvisioned) {
					return err
				}
				if !listed && !a.yes {
					c.Note = joinNotes(c.Note, fmt.Sprintf("The peer would also be listed in %s, since the ledger keeps no names.", s.cfg.fileName()))
				}
				if lookalikes := doctor.Alike(append(s.listConfigured(asset), peer.ID)); lookalikes != "" {
					c.Note = joinNotes(c.Note, "The ledger takes these ids for different peers: "+lookalikes+".")
				}
				return a.previewOrWrite(c, func(c *change) error {
					if err := s.provision(cmd, peer); err != nil {
						return err
					}
					c.Already = exists
					if !listed {
						c.Note = joinNotes(c.Note, s.listInConfig(s.cfg, entry))
					}
					return nil
				})
			})
		},
	}
	cmd.Flags().StringVar(&credit, "credit-line", "", "how much the peer may owe us, in whole units, or \"unlimited\"")
	a.addYesFlag(cmd)
	return cmd
}

// provision provisions peers. A difference to existing accounts is an error; the other peers are
// provisioned.
func (s *session) provision(cmd *cobra.Command, peers ...accounts.PeerConfig) error {
	_, err := s.book.Provision(cmd.Context(), peers...)
	var drift *accounts.DriftError
	if errors.As(err, &drift) {
		return fmt.Errorf("the other peers are provisioned, but the ledger differs from the request (change credit lines with peerledger credit set): %w", err)
	}
	return err
}

func (a *app) newProvisionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "provision",
		Example: "  peerledger peers provision\n  peerledger peers provision --yes",
		Short:   "Provision all peers of the configuration file",
		Long: `Create the accounts of all configured peers in the ledger, and grant the credit line of each
peer that never had one. Repeat the command at any time, on any number of machines at once.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.mayCreateLedger = true
			return a.withSession(cmd.Context(), func(s *session) error {
				var peers []accounts.PeerConfig
				for _, p := range s.cfg.Peers {
					asset, err := s.cfg.findAsset(p.Asset)
					if err != nil {
						return err
					}
					peer, err := p.parsePeer(asset)
					if err != nil {
						return err
					}
					peers = append(peers, peer)
				}
				c := change{Action: "provision " + formatCount(len(peers), "peer"), Note: a.describeNewLedger()}
				names := make([]string, len(peers))
				for i, p := range peers {
					names[i] = p.ID
				}
				if lookalikes := doctor.Alike(names); lookalikes != "" {
					c.Note = joinNotes(c.Note, "The ledger takes these ids for different peers: "+lookalikes+".")
				}
				return a.previewOrWrite(c, func(*change) (err error) {
					shown := progress.New(a.stderr, a.stderrIsTerminal && !a.json, "provisioning", 0)
					shown.Start(1)
					defer func() { shown.Stop(err) }()
					return s.provision(cmd, peers...)
				})
			})
		},
	}
	a.addYesFlag(cmd)
	return cmd
}

// buildPeerCommand completes a command that changes one peer with do. note, which may be nil,
// returns the note of the preview, and reason the value of the flag --reason.
func (a *app) buildPeerCommand(asset *string, cmd *cobra.Command, reason *uint32, action string, note func(accounts.Balance) string, do func(*session, accounts.PeerAccount) error) *cobra.Command {
	cmd.Args = exactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withSession(cmd.Context(), func(s *session) error {
			account, found, err := s.parseAccount(cmd.Context(), args[0], *asset)
			if err != nil {
				return err
			}
			b, err := s.book.Balance(cmd.Context(), account)
			if err != nil {
				return err
			}
			c := change{Action: action, Peer: account.Peer(), Asset: found.String(), Before: newPeerRow(b, "").State, peerPrefix: " "}
			if reason != nil {
				c.setReason(s.cfg, *reason)
			}
			if note != nil && !a.yes {
				c.Note = note(b)
			}
			c.detail = listGivenFlags(cmd, "force", "revoke-free")
			if c.wait, err = s.readWaitFlag(cmd, account); err != nil {
				return err
			}
			return a.previewOrWrite(c, func(c *change) error {
				if err := do(s, account); err != nil {
					return err
				}
				if b, err := s.book.Balance(cmd.Context(), account); err == nil { // the change is written even if this fails
					c.After = newPeerRow(b, "").State
				}
				return nil
			})
		})
	}
	a.addYesFlag(cmd)
	return cmd
}

// listGivenFlags returns those of these flags that are set: "--force".
func listGivenFlags(cmd *cobra.Command, names ...string) string {
	var given []string
	for _, name := range names {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Value.String() == "true" {
			given = append(given, "--"+name)
		}
	}
	return strings.Join(given, " ")
}

func (a *app) newSuspendCommand(asset *string) *cobra.Command {
	var revokeFree bool
	cmd := &cobra.Command{
		Use:     "suspend peer",
		Example: "  peerledger peers suspend alice --yes\n  peerledger peers suspend alice --revoke-free --reason 7 --yes\n  peerledger peers suspend alice --wait 1m --yes",
		Short:   "Take no new packets from or to a peer",
		Long: `Suspend a peer in one asset. Every connector sees the suspension within its
SuspensionPollInterval (1 s by default) and refuses new packets. Prepared packets are still
fulfilled or rejected, and settlements go on.

With --wait, the command then waits until every connector has seen the suspension and no packet of
the peer is in flight. If packets still hold an amount after that time, the peer stays suspended,
and the exit status is 4: peerledger holds shows the packets.`,
	}
	cmd.Flags().Duration("wait", 0, "then wait up to this `time` until no packet of the peer is in flight")
	cmd.Flags().BoolVar(&revokeFree, "revoke-free", false, "also revoke the free part of the credit line, so that the peer cannot send from now on")
	reason := a.addParsedReasonFlag(cmd)
	return a.buildPeerCommand(asset, cmd, reason, effects.Suspend.Action, nil, func(s *session, account accounts.PeerAccount) error {
		options := []accounts.SuspendOption{accounts.WithReasonCode(*reason)}
		if revokeFree {
			options = append(options, accounts.WithFreeRevoked())
		}
		return s.book.SuspendPeer(cmd.Context(), account, options...)
	})
}

func (a *app) newResumeCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{Use: "resume peer", Short: "Let a suspended peer trade again", Example: "  peerledger peers resume alice --yes"}
	return a.buildPeerCommand(asset, cmd, nil, effects.Resume.Action, nil, func(s *session, account accounts.PeerAccount) error {
		return s.book.ResumePeer(cmd.Context(), account)
	})
}

func (a *app) newClosePeerCommand(asset *string) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "close peer",
		Example: "  peerledger peers close alice --yes\n  peerledger peers close alice --force --reason 9 --yes",
		Short:   "Close a peer's account",
		Long: `Suspend a peer, wait one SuspensionPollInterval, and close the account. The command is refused
while packets, an order or reservations of connectors hold an amount, and while either side
owes the other, unless --force writes that amount off. Connectors that record in rounds release
their reservations of a suspended peer: peers suspend --wait, then close it.`,
	}
	cmd.Flags().BoolVar(&force, "force", false, "write off the amount owed, in either direction; needs --reason")
	reason := a.addParsedReasonFlag(cmd)
	return a.buildPeerCommand(asset, cmd, reason, effects.Close.Action, func(b accounts.Balance) string { return effects.DescribeClosing(b, force) }, func(s *session, account accounts.PeerAccount) error {
		options := []accounts.CloseOption{accounts.WithReasonCode(*reason)}
		if force {
			options = append(options, accounts.WithForce())
		}
		return s.book.ClosePeer(cmd.Context(), account, options...)
	})
}

func (a *app) newReopenPeerCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{Use: "reopen peer", Short: "Reopen a closed peer, which stays suspended until peers resume", Example: "  peerledger peers reopen alice --yes"}
	return a.buildPeerCommand(asset, cmd, nil, effects.Reopen.Action, nil, func(s *session, account accounts.PeerAccount) error {
		return s.book.ReopenPeer(cmd.Context(), account)
	})
}
