package main

import (
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/doctor"
	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger/cluster"
)

func (a *app) newDoctorCommand() *cobra.Command {
	var dataFile, journal string
	var strict bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find faults between this program and the ledger",
		Long: `Examine the way from this program to the ledger, and print the cause and the remedy of each
fault. The command writes nothing. It checks, for a cluster:

  replicas  names, addresses and their order, cluster id, releases
  session   one look-up, request limits, clocks
  books     of the configured peers: arrears, money in suspense, engines of an earlier
            version, paused payments; of each asset: an amount left in transit, and what
            connectors have reserved for their rounds

With --data-file, on the server's host, also check the data file, its volume and the machine.
With --folder, check the folder of a closed embedded ledger instead of a cluster: every byte of
its files, the totals of all accounts, the clock and the disk space. With --journal, check the
folder of a closed recorder's journal. A journal of rounds is compared with the ledger: an old
copy of either is found.

The exit status is 0 without a problem, also with warnings, and 5 with a problem (with
--strict, also with a warning).`,
		Example: "  peerledger doctor\n  peerledger doctor --addresses tb0:3001,tb1:3001,tb2:3001 --cluster-id 7 --json\n  peerledger doctor --data-file /var/lib/tigerbeetle\n  peerledger doctor --folder /var/lib/connector/ledger --journal /var/lib/connector/journal",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			subject, err := a.newDoctorSubject()
			if err != nil {
				return err
			}
			subject.DataFile, subject.Journal = dataFile, journal
			if dataFile+journal != "" && errors.Is(subject.ConfigErr, errNoLedger) {
				subject.ConfigErr = nil // examine the files alone
			}
			report := doctor.Examine(cmd.Context(), subject)
			if err := a.showReport(report); err != nil {
				return err
			}
			if worst := report.Worst(); worst == doctor.Problem || strict && worst == doctor.Warning {
				return errFound
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dataFile, "data-file", "", "the server's data file, or its `folder`, on this machine")
	cmd.Flags().StringVar(&journal, "journal", "", "the `folder` of the recorder's journal")
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with status 5 for warnings too")
	return cmd
}

// newDoctorSubject returns the subject to examine. A wrong configuration is a finding, not an
// error.
func (a *app) newDoctorSubject() (doctor.Subject, error) {
	release, err := vsr.ParseRelease(cluster.ClientRelease)
	if err != nil {
		return doctor.Subject{}, err
	}
	s := doctor.Subject{Client: release}
	file, err := a.readConfig()
	if err != nil {
		s.ConfigErr = err
		return s, nil
	}
	if s.Folder = a.selectFolder(file); s.Folder == "" {
		cfg, err := a.resolveCluster(file)
		if err != nil {
			s.ConfigErr = err
		} else {
			s.ClusterID, s.Addresses, s.Open = cfg.ClusterID, cfg.Addresses, newSessionOpener(cfg)
		}
	}
	s.Books = doctor.Books{Config: file.toBookConfig()}
	for _, p := range file.Peers {
		if asset, err := file.findAsset(p.Asset); err == nil { // readConfig refuses unknown assets
			s.Books.Peers = append(s.Books.Peers, accounts.PeerAsset{Peer: p.ID, Asset: asset})
		}
	}
	return s, nil
}

// showReport prints the findings and counts problems and warnings.
func (a *app) showReport(report doctor.Report) error {
	if a.json {
		for _, f := range report {
			if err := a.printJSON(f); err != nil {
				return err
			}
		}
		return nil
	}
	counts := map[doctor.Level]int{}
	for _, f := range report {
		counts[f.Level]++
		mark := map[doctor.Level]string{doctor.OK: "ok     ", doctor.Warning: "warning", doctor.Problem: "PROBLEM"}[f.Level]
		mark = a.paint(map[doctor.Level]text.Colors{
			doctor.OK: {text.FgGreen}, doctor.Warning: {text.FgYellow}, doctor.Problem: {text.FgRed, text.Bold},
		}[f.Level], mark)
		fmt.Fprintf(a.stdout, "%s  %s: %s\n", mark, f.Subject, f.Found)
		if f.Cause != "" {
			fmt.Fprintf(a.stdout, "         why: %s\n         do:  %s\n", f.Cause, f.Remedy)
		}
	}
	fmt.Fprintf(a.stdout, "%s, %s\n", formatCount(counts[doctor.Problem], "problem"), formatCount(counts[doctor.Warning], "warning"))
	return nil
}

func (a *app) newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the releases of this program and of its TigerBeetle client", Args: exactArgs(0),
		Example: "  peerledger version\n  peerledger version --json",
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"peerledger": readVersion(), "tigerbeetle_client": cluster.ClientRelease})
			}
			fmt.Fprintf(a.stdout, "peerledger %s, TigerBeetle client %s\n", readVersion(), cluster.ClientRelease)
			return nil
		},
	}
}
