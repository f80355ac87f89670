package main

import (
	"fmt"
	"net/netip"

	"github.com/spf13/pflag"

	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/settlement"
)

// addActingFlags adds the flags about forms that change the books.
func addActingFlags(flags *pflag.FlagSet, f *consoleFlags) {
	flags.StringVar(&f.allow, "allow", "view", "view or `act`: whether the pages may change the books")
	flags.StringVar(&f.userHeader, "user-header", "", "the `header` in which a trusted proxy names its user, for the operator's journal")
	flags.StringVar(&f.roleHeader, "role-header", "", "the `header` in which a trusted proxy gives the role of its user: only those with the role act may act")
	flags.StringArrayVar(&f.proxies, "trusted-proxy", nil, "a `network` from which the proxy's requests come, as in 127.0.0.1/32; may be given several times")
}

// chooseConsoleRails returns the rails of the console's engine: with --allow=act the engines of the configuration, if there
// are any. Without rails the engine pays nothing. Call closeRails after the command.
func (a *app) chooseConsoleRails(flags consoleFlags) (rails func(config) (settlement.Rails, error), closeRails func(), err error) {
	none := func() {}
	switch flags.allow {
	case "view":
		return nil, none, nil
	case "act":
	default:
		return nil, none, fmt.Errorf("%w: --allow is view or act, not %q", errUsage, flags.allow)
	}
	cfg, err := a.readConfig()
	if err != nil || len(cfg.Engines) == 0 {
		return nil, none, err
	}
	rails, closeRails = a.choosePayers("")
	return rails, closeRails, nil
}

// allowActing completes the configuration of a console with the operator's journal, and with --allow=act lets it act.
func (s *session) allowActing(cfg *console.Config, flags consoleFlags) error {
	cfg.JournalFile, cfg.Reasons, cfg.UserHeader, cfg.RoleHeader = s.cfg.operatorJournal(), s.cfg.Reasons, flags.userHeader, flags.roleHeader
	for _, text := range flags.proxies {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("%w: --trusted-proxy %s is no network, as in 127.0.0.1/32", errUsage, text)
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, network)
	}
	if flags.allow != "act" {
		return nil
	}
	if cfg.JournalFile == "" {
		return fmt.Errorf("%w: --allow=act needs the operator's journal: name a file as operator_journal in %s", errUsage, s.cfg.fileName())
	}
	cfg.Allow, cfg.Operator = console.Act, s.getenv(operatorEnv)
	return nil
}
