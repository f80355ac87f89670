package main

import (
	"fmt"
	"os/exec"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// describePayAgain returns the next step for orders that stay open.
func describePayAgain(program string) string {
	same := "Repeat the same command, with the same program"
	if program == "" {
		same = "Find out at the engine whether it has paid, if it has seen the key or refuses. Else repeat the same command"
	}
	return same + ": an open order is paid under the same key.\n" +
		"If you know the paid amount, close the order with peerledger settle resolve, or settle cancel."
}

// choosePayers returns the rails of a command that pays: a program, or else the engines of the
// configuration. Call closeRails after the command.
func (a *app) choosePayers(program string) (rails func(config) (settlement.Rails, error), closeRails func()) {
	var engines []*openEngine
	rails = func(cfg config) (settlement.Rails, error) {
		if program != "" {
			_, err := exec.LookPath(program) // check before placing an order
			if err != nil {
				err = fmt.Errorf("%w: --pay-with: %w", errUsage, err)
			}
			return settlement.Rails{Default: &settlement.Rail{Name: execRail, Settler: execSettler{program, a.stderr}}}, err
		}
		if len(cfg.Engines) == 0 {
			return settlement.Rails{}, fmt.Errorf("%w: no program and no engine pays: give --pay-with, or list engines: in %s", errUsage, cfg.fileName())
		}
		var err error
		engines, _, err = a.openEngines(cfg, rfc0038.SettlerEvents{})
		return newEngineRails(cfg, engines), err
	}
	return rails, func() { closeEngines(engines) }
}

// noteEngines notes the engine that pays each planned order.
func (s *session) noteEngines(plan []change) {
	for i, c := range plan {
		asset, err := s.cfg.findAsset(c.Asset)
		if err != nil || c.noop {
			continue
		}
		if e, found := s.cfg.findEngine(s.findEntry(peerAsset{Peer: c.Peer, Asset: asset}), asset); found {
			plan[i].Note = joinNotes(c.Note, fmt.Sprintf("Engine %s at %s pays.", e.Name, e.URL))
		}
	}
}

// checkPayers refuses peers that no engine pays, unless a program pays.
func (s *session) checkPayers(program string, list []accounts.PeerAccount) error {
	if program != "" {
		return nil
	}
	for _, account := range list {
		asset, _ := s.book.Asset(account.Ledger())
		if _, found := s.cfg.findEngine(s.findEntry(peerAsset{Peer: account.Peer(), Asset: asset}), asset); !found {
			return fmt.Errorf("%w: no engine pays %s in %v: name one in its entry (engine:), or give --pay-with", errUsage, account.Peer(), asset)
		}
	}
	return nil
}
