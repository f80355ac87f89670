package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/bankfile"
	"github.com/peerledger/peerledger/settlement"
)

// maxBankParse bounds the time to read one file. A file of the greatest size takes some ten seconds.
const maxBankParse = 5 * time.Minute

// bankOptions are the flags of settle import.
type bankOptions struct {
	account string
	mapping string   // a file
	places  []string // of listed payments to book
	peer    string   // for places
}

func (a *app) newImportCommand() *cobra.Command {
	var o bankOptions
	cmd := &cobra.Command{
		Use: "import file...", Short: "Book payments from a bank's files",
		Example: "  peerledger settle import statement.xml --account main\n  peerledger settle import monday.xml tuesday.xml --account main --yes\n" +
			"  peerledger settle import export.csv --mapping bank.yaml --yes\n  peerledger settle import monday.xml --book \"statement 1 entry 2\" --peer alice --yes",
		Long: `Book the payments of peers that a bank reports: camt.053 and camt.054 of all versions, MT940, and
CSV with a mapping. The account is one of bank_accounts in the configuration. A payment is booked
once under the bank's own reference, however often it is reported. Payments that need your
judgement are listed with place and reason, and not booked: --book with the place and --peer books
one. A file whose balances do not add up is refused. See docs/settlement.md, Payments from a bank's
files.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(args); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				return s.importFiles(cmd.Context(), engine, o, args)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.account, "account", "", "the `name` of the bank account in the configuration; default: the only one")
	flags.StringVar(&o.mapping, "mapping", "", "a `file` with csv: and payers:, as in the configuration, for these files")
	flags.StringArrayVar(&o.places, "book", nil, "book the listed payment at this `place` too, such as \"row 3\"; may be given several times")
	flags.StringVar(&o.peer, "peer", "", "the `peer` that has made the payments of --book")
	a.addYesFlag(cmd)
	return cmd
}

func (o bankOptions) validate(files []string) error {
	switch {
	case (len(o.places) > 0) != (o.peer != ""):
		return fmt.Errorf("%w: --book and --peer go together", errUsage)
	case len(o.places) > 0 && len(files) > 1:
		return fmt.Errorf("%w: --book names a place in one file", errUsage)
	}
	return nil
}

// bankImport is one run of the command.
type bankImport struct {
	session *session
	engine  *settlement.Engine
	asset   accounts.Asset
	bank    bankConfig
	account bankfile.Account
	options bankOptions
	book    *bankfile.Book
	checked map[string]bool // peers that the ledger has
	seen    map[string]bool // keys of payments that were booked or shown
}

// importFiles decides about all files before it books the first payment. The books of the bank account are on disk before the
// ledger is asked to book.
func (s *session) importFiles(ctx context.Context, engine *settlement.Engine, o bankOptions, files []string) (err error) {
	i := &bankImport{session: s, engine: engine, options: o, checked: map[string]bool{}, seen: map[string]bool{}}
	if err := i.findAccount(); err != nil {
		return err
	}
	path := s.cfg.bankState()
	if s.yes {
		unlock, err := lockBankState(path)
		if err != nil {
			return err
		}
		defer func() { _ = unlock() }()
	}
	books, err := readBankState(path)
	if err != nil {
		return err
	}
	i.book = books.open(i.account)
	reports := make([]bankfile.Report, len(files))
	for n, file := range files {
		if reports[n], err = i.decideFile(ctx, file); err != nil {
			return describeRefusal(file, err)
		}
	}
	if s.yes {
		if err := books.write(path); err != nil {
			return err
		}
	}
	for n, file := range files { // the list is out before a booking can fail
		for _, l := range reports[n].Listed {
			if err := i.printListed(file, l); err != nil {
				return err
			}
		}
	}
	for n, file := range files {
		if err := i.bookReport(ctx, file, reports[n]); err != nil {
			return err
		}
	}
	if !s.yes && !s.json {
		fmt.Fprintln(s.stdout, "Nothing was written. Add --yes to write it.")
	}
	return nil
}

// findAccount finds the bank account, its mapping and its payers.
func (i *bankImport) findAccount() (err error) {
	if i.bank, err = i.session.cfg.findBankAccount(i.options.account); err != nil {
		return err
	}
	if i.asset, err = i.session.cfg.findAsset(i.bank.Asset); err != nil {
		return err
	}
	if i.options.mapping != "" {
		if i.bank, err = i.bank.addMapping(i.options.mapping); err != nil {
			return fmt.Errorf("%w: --mapping: %w", errUsage, err)
		}
	}
	i.account = i.bank.toAccount(i.asset)
	if i.account.Books == bankfile.CSV && i.bank.CSV == nil {
		return fmt.Errorf("%w: the account books from csv: give its columns in csv: of the configuration, or with --mapping", errUsage)
	}
	return nil
}

// describeRefusal names the file of an error. A file that is refused, or cannot be read, is an error of the command line.
func describeRefusal(file string, err error) error {
	var refused *bankfile.RefusedError
	var source *bankfile.SourceError
	if errors.As(err, &refused) || errors.As(err, &source) || errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s: %w; nothing was booked", errUsage, file, err)
	}
	return fmt.Errorf("%s: %w; nothing was booked", file, err)
}

// decideFile reads a file, and adds its payments to the book of the bank account.
func (i *bankImport) decideFile(ctx context.Context, name string) (bankfile.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return bankfile.Report{}, err
	}
	data, err := bankfile.Read(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return bankfile.Report{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, maxBankParse)
	defer cancel()
	file, err := bankfile.Parse(bounded, data, i.bank.CSV)
	if err != nil {
		return bankfile.Report{}, err
	}
	report, err := bankfile.Decide(file, i.account, i.book)
	if err != nil {
		return bankfile.Report{}, err
	}
	report.AssignPeers(i.bank.Payers)
	for _, place := range i.options.places {
		if err := report.BookListed(place, i.options.peer); err != nil {
			return report, fmt.Errorf("%w: --book: %w", errUsage, err)
		}
	}
	for _, p := range report.Booked {
		if err := i.checkPeer(ctx, p.Peer); err != nil {
			return report, fmt.Errorf("%s: %w", p.At, err)
		}
	}
	i.book.Add(report)
	return report, nil
}

// checkPeer refuses a peer that the ledger cannot book for. A payment that is in the book of the bank account, and can never be in
// the ledger, would end each later import.
func (i *bankImport) checkPeer(ctx context.Context, peer string) error {
	if i.checked[peer] {
		return nil
	}
	account, err := i.session.book.PeerAccount(peer, i.asset)
	if err != nil {
		return err
	}
	if _, err := i.session.book.LookUpBalances(ctx, account); err != nil {
		return err
	}
	i.checked[peer] = true
	return nil
}
