package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/bankfile"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

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
	OwnKey   string `json:"own_key,omitempty"`  // of a listed payment: the key under which --book books it
	Alike    string `json:"alike,omitempty"`    // a key booked by --book with the same amount, currency and date
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
	New     int            `json:"new"`   // booked with --yes
	Known   int            `json:"known"` // in the ledger already, or before in these files
	Listed  int            `json:"listed"`
	Skipped map[string]int `json:"skipped"`
	Others  []string       `json:"other_accounts,omitempty"` // accounts of the file that are not the configured one
	Written bool           `json:"written"`
}

// bookReport prints the payments of a report, and books with --yes what the ledger does not have. That includes
// payments that the book of the bank account knows: an earlier import may have ended before the ledger had them.
func (i *bankImport) bookReport(ctx context.Context, file string, r bankfile.Report) error {
	payments := slices.Concat(r.Known, r.Booked)
	incoming, found, err := i.findBooked(ctx, payments)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	counts := bankCounts{File: file, Listed: len(r.Listed), Skipped: r.Skipped, Others: r.Others, Written: i.session.yes}
	for n, p := range payments {
		row := i.newBankRow(file, p, incoming[n].Amount)
		switch {
		case found[n].AlreadyBooked:
			row.State, row.Transfer = "known", found[n].Transfer.String()
		case i.seen[p.Key]:
			row.State = "known"
		case i.session.yes:
			if err := i.bookPayment(ctx, &row, incoming[n]); err != nil {
				return err
			}
		}
		i.seen[p.Key] = true
		if row.State == "known" {
			counts.Known++
		} else {
			counts.New++
		}
		if err := i.printPayment(row, incoming[n].Amount); err != nil {
			return err
		}
	}
	return i.printCounts(counts)
}

// findBooked finds out which payments the ledger has, in one request for thousands of payments.
func (i *bankImport) findBooked(ctx context.Context, payments []bankfile.Payment) ([]settlement.IncomingPayment, []settlement.PaymentBooking, error) {
	incoming := make([]settlement.IncomingPayment, len(payments))
	for n, p := range payments {
		account, err := i.session.book.PeerAccount(p.Peer, i.asset)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", p.At, err)
		}
		amount, err := ledger.ParseAmount(p.Amount)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", p.At, err)
		}
		incoming[n] = settlement.IncomingPayment{Account: account, Key: p.Key, Amount: amount}
	}
	found, err := i.engine.FindIncoming(ctx, incoming)
	return incoming, found, err
}

func (i *bankImport) newBankRow(file string, p bankfile.Payment, amount ledger.Amount) bankRow {
	return bankRow{
		File: file, At: p.At, State: "new", Peer: p.Peer, Asset: i.asset.String(), Amount: i.asset.Format(amount), Currency: p.Currency, Date: p.Date, Key: p.Key,
		Payer: p.Payer, PayerAccount: p.PayerAccount, EndToEnd: p.EndToEnd, Text: p.Text, Charge: p.Charge,
	}
}

// bookPayment books a payment, and sets the state of its row.
func (i *bankImport) bookPayment(ctx context.Context, row *bankRow, in settlement.IncomingPayment) error {
	c := change{Action: "book a payment from a bank file", Peer: row.Peer, Asset: row.Asset, Amount: row.Amount, Key: row.Key}
	err := i.session.recordAct(&c, func(c *change) error {
		receipt, err := i.engine.RecordIncoming(ctx, in)
		c.Already, c.Transfer = receipt.AlreadyBooked, receipt.Transfer.String()
		return err
	})
	if errors.Is(err, ledger.ErrOutcomeUnknown) {
		return &unknownError{err, effects.RepeatHint}
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", row.File, row.At, err)
	}
	row.State, row.Transfer = "booked", c.Transfer
	if c.Already { // another import was faster
		row.State = "known"
	}
	return nil
}

func (i *bankImport) printPayment(row bankRow, amount ledger.Amount) error {
	if i.session.json {
		return i.session.printJSON(row)
	}
	_, err := fmt.Fprintf(i.session.stdout, "%s: %s from %s, key %s (%s)\n", row.State, i.asset.Text(amount), row.Peer, row.Key, row.At)
	return err
}

// printListed prints an entry for the operator.
func (i *bankImport) printListed(file string, l bankfile.Listed) error {
	row := bankRow{
		File: file, At: l.At, State: "listed", Reason: string(l.Reason), Asset: i.asset.String(), Amount: l.Amount, Currency: l.Currency, Date: l.Date, Key: l.Key,
		Original: l.Original, OwnKey: l.OwnKey, Alike: l.Alike, Payer: l.Payer, PayerAccount: l.PayerAccount, EndToEnd: l.EndToEnd, Text: l.Text,
	}
	if l.Reason != bankfile.WrongScale && l.Reason != bankfile.WrongCurrency {
		if amount, err := ledger.ParseAmount(l.Amount); err == nil {
			row.Amount = i.asset.Format(amount)
		}
	}
	if i.session.json {
		return i.session.printJSON(row)
	}
	out := i.session.stdout
	fmt.Fprintf(out, "listed (%s): %s %s on %s, payer %q %q (%s, %s)\n", l.Reason, row.Amount, l.Currency, l.Date, l.Payer, l.PayerAccount, file, l.At)
	if l.Original != "" {
		fmt.Fprintf(out, "  takes back the payment %s: give settle returned\n", l.Original)
	}
	if l.Alike != "" {
		fmt.Fprintf(out, "  a payment of the same amount and date was booked with --book, key %s: it may be this one\n", l.Alike)
	}
	return nil
}

func (i *bankImport) printCounts(counts bankCounts) error {
	if i.session.json {
		return i.session.printJSON(counts)
	}
	out := i.session.stdout
	fmt.Fprintf(out, "%s: %d new, %d known, %d listed", counts.File, counts.New, counts.Known, counts.Listed)
	for _, reason := range slices.Sorted(maps.Keys(counts.Skipped)) {
		fmt.Fprintf(out, ", %d skipped (%s)", counts.Skipped[reason], reason)
	}
	fmt.Fprintln(out, ".")
	for _, other := range counts.Others {
		fmt.Fprintf(out, "The file has entries of another account: %q.\n", other)
	}
	return nil
}
