package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/doctor"
	"github.com/peerledger/peerledger/internal/progress"
)

func (a *app) newPeersCommand() *cobra.Command {
	var asset string
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "The peers in the ledger; add, suspend and close them",
		Long: `Lists the peers that the ledger has in each asset, in the order in which they were
provisioned. The ledger keeps only a hash of a peer's id, so names are those of the
configuration file; others are shown by the id of their account. Peers that are configured
and not in the ledger are listed as missing.`,
		Example: "  peerledger peers\n  peerledger peers add alice --credit-line 500 --yes\n  peerledger peers suspend alice --yes",
		Args:    requireSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withSession(cmd.Context(), func(s *session) error { return s.listPeers(cmd, asset) })
		},
	}
	cmd.PersistentFlags().StringVar(&asset, "asset", "", "in this `asset`, as in USD or USD/9")
	cmd.AddCommand(
		a.newAddPeerCommand(&asset), a.newProvisionCommand(), a.newSuspendCommand(&asset), a.newResumeCommand(&asset),
		a.newClosePeerCommand(&asset), a.newReopenPeerCommand(&asset),
	)
	return cmd
}

func (s *session) listPeers(cmd *cobra.Command, asset string) error {
	assets, err := s.selectAssets(asset)
	if err != nil {
		return err
	}
	var rows []peerRow
	for _, a := range assets {
		found := map[string]bool{}
		names := s.listConfigured(a)
		for listing, err := range s.book.Peers(cmd.Context(), a, names...) {
			if err != nil {
				return err
			}
			row := peerRow{Peer: listing.Account.Peer(), Asset: a.String(), State: "incomplete", Account: listing.ID.String()}
			if !listing.Incomplete {
				row = newPeerRow(listing.Balance, listing.ID.String())
			}
			found[row.Peer] = true
			rows = append(rows, row)
		}
		for _, name := range names {
			if !found[name] {
				rows = append(rows, peerRow{Peer: name, Asset: a.String(), State: "missing"})
			}
		}
	}
	if len(rows) == 0 && !s.json {
		_, err := fmt.Fprintln(s.stdout, "The ledger has no peers, and none are configured. peerledger peers add makes one.")
		return err
	}
	return printRows(s.app, rows, append(peerColumns[:len(peerColumns):len(peerColumns)],
		column[peerRow]{title: "opened", cell: func(r peerRow) string { return r.Opened }})...)
}

func (a *app) newAddPeerCommand(asset *string) *cobra.Command {
	var credit string
	cmd := &cobra.Command{
		Use:   "add peer",
		Short: "Provision a peer, with a credit line",
		Long: `Makes sure that the ledger has the accounts of this peer, and grants its first credit
line: --credit-line, or what the configuration says. A peer that is there already stays as
it is. The ledger keeps only a hash of the id, so a peer that is new is also listed in the
configuration file, by which it is shown by its name.`,
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
				wanted := entry
				if credit != "" {
					wanted.CreditLine = credit
				}
				peer, err := wanted.parsePeer(asset)
				if err != nil {
					return err
				}
				c := change{
					Action: "provision", Peer: peer.ID, Asset: asset.String(), After: formatLine(asset, peer.CreditLine),
					peerPrefix: " ", afterPrefix: ", with a credit line of ", Note: a.describeNewLedger(),
				}
				if present, err := s.book.Balance(cmd.Context(), account); err == nil {
					c.Note = fmt.Sprintf("It is there already, with a credit line of %s, and stays as it is (peerledger credit set).", formatLine(asset, present.CreditLine))
				} else if !errors.Is(err, accounts.ErrNotProvisioned) {
					return err
				}
				if !listed && !a.yes {
					c.Note = joinNotes(c.Note, fmt.Sprintf("It would be listed in %s too, since the ledger keeps no names.", s.cfg.fileName()))
				}
				if alike := doctor.Alike(append(s.listConfigured(asset), peer.ID)); alike != "" {
					c.Note = joinNotes(c.Note, "These are different peers to the ledger: "+alike+".")
				}
				return a.previewOrWrite(c, func(c *change) error {
					if err := s.provision(cmd, peer); err != nil {
						return err
					}
					if !listed {
						c.Note = joinNotes(c.Note, s.listInConfig(s.cfg, entry))
					}
					return nil
				})
			})
		},
	}
	cmd.Flags().StringVar(&credit, "credit-line", "", "how much the peer may owe us, in whole units, or unlimited")
	a.addYesFlag(cmd)
	return cmd
}

func (s *session) provision(cmd *cobra.Command, peers ...accounts.PeerConfig) error {
	_, err := s.book.Provision(cmd.Context(), peers...)
	var drift *accounts.DriftError
	if errors.As(err, &drift) {
		return fmt.Errorf("the rest is done, but the ledger differs from what is asked for (credit lines are changed with: peerledger credit set): %w", err)
	}
	return err
}

func (a *app) newProvisionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Provision all peers of the configuration file",
		Long: `Makes sure that the ledger has the accounts of all peers that are configured, and
grants the credit line of each that never had one. It may be given again at any time, and
by any number of machines at once.`,
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
				if alike := doctor.Alike(names); alike != "" {
					c.Note = joinNotes(c.Note, "These are different peers to the ledger: "+alike+".")
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

// buildPeerCommand is a command that changes one peer.
func (a *app) buildPeerCommand(asset *string, cmd *cobra.Command, action string, note func(accounts.Balance) string, do func(*session, accounts.PeerAccount) error) *cobra.Command {
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
			if note != nil && !a.yes {
				c.Note = note(b)
			}
			return a.previewOrWrite(c, func(c *change) error {
				if err := do(s, account); err != nil {
					return err
				}
				if b, err := s.book.Balance(cmd.Context(), account); err == nil { // it is written all the same
					c.After = newPeerRow(b, "").State
				}
				return nil
			})
		})
	}
	a.addYesFlag(cmd)
	return cmd
}

func (a *app) newSuspendCommand(asset *string) *cobra.Command {
	var how accounts.SuspendOptions
	cmd := &cobra.Command{
		Use:   "suspend peer",
		Short: "Take no new packets from or to a peer",
		Long: `Suspends a peer in one asset. Every connector sees it within a round (1 s by default)
and refuses new packets; what is held is still fulfilled or rejected, and settlements go on.`,
	}
	cmd.Flags().BoolVar(&how.RevokeFree, "revoke-free", false, "also take back what is free of its credit line, which stops it from sending at once")
	cmd.Flags().Uint32Var(&how.ReasonCode, "reason", 0, "a `number` that is kept with it")
	return a.buildPeerCommand(asset, cmd, "suspend", nil, func(s *session, account accounts.PeerAccount) error {
		return s.book.Suspend(cmd.Context(), account, how)
	})
}

func (a *app) newResumeCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{Use: "resume peer", Short: "Let a suspended peer trade again"}
	return a.buildPeerCommand(asset, cmd, "resume", nil, func(s *session, account accounts.PeerAccount) error {
		return s.book.Resume(cmd.Context(), account)
	})
}

func (a *app) newClosePeerCommand(asset *string) *cobra.Command {
	var how accounts.CloseOptions
	cmd := &cobra.Command{
		Use:   "close peer",
		Short: "Close a peer's account",
		Long: `Suspends a peer, waits a round, and closes its account. It is refused while anything is
held or being settled, and while anything is owed unless --force writes that off.`,
	}
	cmd.Flags().BoolVar(&how.Force, "force", false, "write off what is owed in either direction; needs --reason")
	cmd.Flags().Uint32Var(&how.ReasonCode, "reason", 0, "a `number` that is kept with it")
	return a.buildPeerCommand(asset, cmd, "close", func(b accounts.Balance) string { return describeClosing(b, how.Force) }, func(s *session, account accounts.PeerAccount) error {
		return s.book.ClosePeer(cmd.Context(), account, how)
	})
}

// describeClosing says what keeps a peer from being closed, or what is given up with it.
func describeClosing(b accounts.Balance, force bool) string {
	owed := ""
	switch b.Position().Sign() {
	case 1:
		if owed = "we owe it " + b.Asset.Text(b.Payable); !b.Prepaid.IsZero() {
			owed += ", of which " + markUpperBound(b.Asset.Text(b.Prepaid), b.PrepaidAtMost) + " is prepaid (peerledger settle refund)"
		}
	case -1:
		owed = "it owes us " + b.Asset.Text(b.Receivable)
	}
	switch {
	case !b.HeldIn.IsZero() || !b.HeldOut.IsZero() || !b.Settling.IsZero():
		return "It will be refused while packets or an order hold something."
	case !b.Announced.IsZero() && !force:
		return fmt.Sprintf("It will be refused while payments of %s are announced (peerledger settle announced). With --force they wait in our suspense account when they are received.",
			b.Asset.Text(b.Announced))
	case owed == "":
		return ""
	case force:
		return "It is written off that " + owed + "."
	default:
		return "It will be refused: " + owed + ". With --force that is written off."
	}
}

func (a *app) newReopenPeerCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{Use: "reopen peer", Short: "Open a closed peer again; it stays suspended until it is resumed"}
	return a.buildPeerCommand(asset, cmd, "reopen", nil, func(s *session, account accounts.PeerAccount) error {
		return s.book.ReopenPeer(cmd.Context(), account)
	})
}
