package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/bankfile"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

func (a *app) newImportCommand() *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use: "import file... [--account name]", Short: "Book payments from a bank's files",
		Example: "  peerledger settle import statement.xml --account main\n  peerledger settle import monday.xml tuesday.xml --account main --yes",
		Long: `Book the payments of peers that a bank reports: camt.053 and camt.054 of all versions, MT940, and
CSV with a mapping. The account is one of bank_accounts in the configuration. A payment is booked
once under the bank's own reference, however often it is reported. Payments that need your
judgement are listed with the reason, and not booked. A file whose balances do not add up is
refused. See docs/settlement.md, Payments from a bank's files.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				return s.importFiles(cmd.Context(), engine, account, args)
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "the `name` of the bank account in the configuration; default: the only one")
	a.addYesFlag(cmd)
	return cmd
}

// bankRow is a payment, or an entry for the operator, in the output.
type bankRow struct {
	File     string `json:"file"`
	At       string `json:"at"`    // the place in the file
	State    string `json:"state"` // new, booked, known or listed
	Reason   string `json:"reason,omitempty"`
	Peer     string `json:"peer,omitempty"`
	Asset    string `json:"asset"`
	Amount   string `json:"amount"` // whole units; as the file has it where the reason is scale or currency
	Currency string `json:"currency"`
	Date     string `json:"date"`
	Key      string `json:"key,omitempty"`
	Original string `json:"original,omitempty"` // the key of the payment that was taken back
	Payer    string `json:"payer,omitempty"`
	// PayerAccount, EndToEnd and Text are as the payer's bank sent them.
	PayerAccount string `json:"payer_account,omitempty"`
	EndToEnd     string `json:"end_to_end,omitempty"`
	Text         string `json:"text,omitempty"`
	Charge       string `json:"charge,omitempty"`
	Transfer     string `json:"transfer,omitempty"`
}

// bankCounts ends the output of a file.
type bankCounts struct {
	File    string         `json:"file"`
	New     int            `json:"new"` // booked with --yes
	Known   int            `json:"known"`
	Listed  int            `json:"listed"`
	Skipped map[string]int `json:"skipped"`
	Others  []string       `json:"other_accounts,omitempty"` // accounts of the file that are not the configured one
	Written bool           `json:"written"`
}

// bankImport is one run of the command.
type bankImport struct {
	session *session
	engine  *settlement.Engine
	asset   accounts.Asset
	bank    bankConfig
	book    *bankfile.Book
	checked map[string]bool // peers that the ledger has
}

// importFiles decides about all files before it books the first payment. The books of the bank account are on disk before the
// ledger is asked to book.
func (s *session) importFiles(ctx context.Context, engine *settlement.Engine, name string, files []string) (err error) {
	bank, err := s.cfg.findBankAccount(name)
	if err != nil {
		return err
	}
	asset, err := s.cfg.findAsset(bank.Asset)
	if err != nil {
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
	account := bank.toAccount(asset)
	id := account.ID + " " + account.Currency
	if books.Accounts[id] == nil {
		books.Accounts[id] = &bankfile.Book{}
	}
	i := &bankImport{session: s, engine: engine, asset: asset, bank: bank, book: books.Accounts[id], checked: map[string]bool{}}
	reports := make([]bankfile.Report, len(files))
	for n, file := range files {
		if reports[n], err = i.decideFile(ctx, file, account); err != nil {
			return describeRefusal(file, err)
		}
	}
	if s.yes {
		if err := books.write(path); err != nil {
			return err
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

// describeRefusal names the file of an error. A file that is refused, or cannot be read, is an error of the command line.
func describeRefusal(file string, err error) error {
	var refused *bankfile.RefusedError
	if errors.As(err, &refused) || errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s: %w; nothing was booked", errUsage, file, err)
	}
	return fmt.Errorf("%s: %w; nothing was booked", file, err)
}

// decideFile reads a file, and adds its payments to the book of the bank account.
func (i *bankImport) decideFile(ctx context.Context, name string, account bankfile.Account) (bankfile.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return bankfile.Report{}, err
	}
	data, err := bankfile.Read(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return bankfile.Report{}, err
	}
	file, err := bankfile.Parse(ctx, data, i.bank.CSV)
	if err != nil {
		return bankfile.Report{}, err
	}
	report, err := bankfile.Decide(file, account, i.book)
	if err != nil {
		return bankfile.Report{}, err
	}
	report.AssignPeers(i.bank.Payers)
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

// bookReport prints a report, the list for the operator first, and books its payments with --yes. Known payments are booked again
// under their keys: an earlier import may have ended before the ledger had them.
func (i *bankImport) bookReport(ctx context.Context, file string, r bankfile.Report) error {
	for _, l := range r.Listed {
		if err := i.printListed(file, l); err != nil {
			return err
		}
	}
	for _, p := range r.Known {
		if err := i.bookPayment(ctx, file, p, "known"); err != nil {
			return err
		}
	}
	for _, p := range r.Booked {
		if err := i.bookPayment(ctx, file, p, "new"); err != nil {
			return err
		}
	}
	counts := bankCounts{File: file, New: len(r.Booked), Known: len(r.Known), Listed: len(r.Listed), Skipped: r.Skipped, Others: r.Others, Written: i.session.yes}
	if i.session.json {
		return i.session.printJSON(counts)
	}
	out := i.session.stdout
	fmt.Fprintf(out, "%s: %d new, %d known, %d listed", file, counts.New, counts.Known, counts.Listed)
	for _, reason := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(out, ", %d skipped (%s)", r.Skipped[reason], reason)
	}
	fmt.Fprintln(out, ".")
	for _, other := range r.Others {
		fmt.Fprintf(out, "The file has entries of another account: %s.\n", other)
	}
	return nil
}

// bookPayment books a payment with --yes, and prints the payment.
func (i *bankImport) bookPayment(ctx context.Context, file string, p bankfile.Payment, state string) error {
	amount, err := ledger.ParseAmount(p.Amount)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", file, p.At, err)
	}
	row := bankRow{
		File: file, At: p.At, State: state, Peer: p.Peer, Asset: i.asset.String(), Amount: i.asset.Format(amount), Currency: p.Currency, Date: p.Date, Key: p.Key,
		Payer: p.Payer, PayerAccount: p.PayerAccount, EndToEnd: p.EndToEnd, Text: p.Text, Charge: p.Charge,
	}
	if i.session.yes {
		account, err := i.session.book.PeerAccount(p.Peer, i.asset)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", file, p.At, err)
		}
		c := change{Action: "book a payment from a bank file", Peer: p.Peer, Asset: row.Asset, Amount: row.Amount, Key: p.Key}
		err = i.session.recordAct(&c, func(c *change) error {
			receipt, err := i.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: account, Key: p.Key, Amount: amount})
			c.Already, c.Transfer = receipt.AlreadyBooked, receipt.Transfer.String()
			return err
		})
		if errors.Is(err, ledger.ErrOutcomeUnknown) {
			return &unknownError{err, effects.RepeatHint}
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", file, p.At, err)
		}
		if row.Transfer = c.Transfer; !c.Already {
			row.State = "booked"
		}
	}
	if i.session.json {
		return i.session.printJSON(row)
	}
	fmt.Fprintf(i.session.stdout, "%s: %s from %s, key %s (%s)\n", row.State, i.asset.Text(amount), p.Peer, p.Key, p.At)
	return nil
}

// printListed prints an entry for the operator.
func (i *bankImport) printListed(file string, l bankfile.Listed) error {
	row := bankRow{
		File: file, At: l.At, State: "listed", Reason: string(l.Reason), Asset: i.asset.String(), Amount: l.Amount, Currency: l.Currency, Date: l.Date, Key: l.Key,
		Original: l.Original, Payer: l.Payer, PayerAccount: l.PayerAccount, EndToEnd: l.EndToEnd, Text: l.Text,
	}
	if l.Reason != bankfile.WrongScale && l.Reason != bankfile.WrongCurrency {
		if amount, err := ledger.ParseAmount(l.Amount); err == nil {
			row.Amount = i.asset.Format(amount)
		}
	}
	if i.session.json {
		return i.session.printJSON(row)
	}
	fmt.Fprintf(i.session.stdout, "listed (%s): %s %s on %s, payer %q %s (%s)\n", l.Reason, row.Amount, l.Currency, l.Date, l.Payer, l.PayerAccount, l.At)
	if l.Original != "" {
		fmt.Fprintf(i.session.stdout, "  takes back the payment %s: give settle returned\n", l.Original)
	}
	return nil
}
