package ledgertest

import (
	"fmt"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

// accountEvent is an A statement. Ids, the ledger number and the timestamp are the scenario's own
// until scenarioRunner.mapAccount maps them.
type accountEvent struct {
	ledger.Account
	at         origin
	scriptTime scriptTime
	want       ledger.CreateAccountStatus
}

var accountFlags = map[string]ledger.AccountFlags{
	"lnk":    ledger.AccountLinked,
	"d<=c":   ledger.AccountDebitsMustNotExceedCredits,
	"c<=d":   ledger.AccountCreditsMustNotExceedDebits,
	"hist":   ledger.AccountHistory,
	"imp":    ledger.AccountImported,
	"closed": ledger.AccountClosed,
	"bad":    1 << 9,
}

func (p *parser) addAccount(w *arguments, want []string) error {
	e := accountEvent{at: p.at, Account: ledger.Account{Ledger: 1, Code: 1}}
	id, err := w.readNumber("id")
	if err != nil {
		return err
	}
	e.ID, e.Flags = ledger.ID(id), takeFlags(w, accountFlags)
	if _, err := w.assignFields(map[string]any{
		"l": &e.Ledger, "c": &e.Code, "u128": &e.UserData128, "u64": &e.UserData64, "u32": &e.UserData32,
		"res": &e.Reserved, "dp": &e.DebitsPending, "d": &e.DebitsPosted,
		"cp": &e.CreditsPending, "cr": &e.CreditsPosted, "ts": &e.scriptTime,
	}); err != nil {
		return err
	}
	if e.want, err = findStatus(want, ledger.AccountCreated, ledger.CreateAccountStatuses()); err != nil {
		return err
	}
	call, ok := p.lastStep().(*accountsCall)
	if !ok {
		call = &accountsCall{}
		p.addStep(call)
	}
	call.events = append(call.events, e)
	p.mayJoin = true
	return nil
}

// transferEvent is a T statement, or the transfer expected by an X statement.
type transferEvent struct {
	ledger.Transfer
	at         origin
	scriptTime scriptTime
	want       ledger.CreateTransferStatus
}

var transferFlags = map[string]ledger.TransferFlags{
	"lnk":  ledger.TransferLinked,
	"pend": ledger.TransferPending,
	"post": ledger.TransferPostPending,
	"void": ledger.TransferVoidPending,
	"bdr":  ledger.TransferBalancingDebit,
	"bcr":  ledger.TransferBalancingCredit,
	"cdr":  ledger.TransferClosingDebit,
	"ccr":  ledger.TransferClosingCredit,
	"imp":  ledger.TransferImported,
	"bad":  1 << 12,
}

func transferFields(t *ledger.Transfer) map[string]any {
	return map[string]any{
		"l": &t.Ledger, "c": &t.Code, "u128": &t.UserData128, "u64": &t.UserData64, "u32": &t.UserData32,
		"p": &t.PendingID, "to": &t.Timeout, "dr": &t.DebitAccountID, "cr": &t.CreditAccountID,
	}
}

func (p *parser) addTransfer(w *arguments, want []string) error {
	e := transferEvent{at: p.at}
	id, err := w.readNumber("id")
	if err != nil {
		return err
	}
	e.ID = ledger.ID(id)
	if err := e.setSides(w); err != nil {
		return err
	}
	amount, err := w.readNumber("amount")
	if err != nil {
		return err
	}
	e.Amount, e.Flags = ledger.Amount(amount), takeFlags(w, transferFlags)
	fields := transferFields(&e.Transfer)
	fields["ts"] = &e.scriptTime
	if _, err := w.assignFields(fields); err != nil {
		return err
	}
	if e.want, err = findStatus(want, ledger.TransferCreated, ledger.CreateTransferStatuses()); err != nil {
		return err
	}
	call, ok := p.lastStep().(*transfersCall)
	if !ok {
		call = &transfersCall{}
		p.addStep(call)
	}
	call.events = append(call.events, e)
	p.mayJoin = true
	return nil
}

// setSides reads an optional debit>credit. Ledger number and code are then 1 by default.
func (e *transferEvent) setSides(w *arguments) error {
	if len(w.words) == 0 || !strings.Contains(w.words[0], ">") {
		return nil
	}
	sides, err := parseNumbers(w.words[0], ">")
	if err != nil || len(sides) != 2 {
		return fmt.Errorf("%q is not debit>credit", w.words[0])
	}
	w.words = w.words[1:]
	e.DebitAccountID, e.CreditAccountID = ledger.ID(sides[0]), ledger.ID(sides[1])
	e.Ledger, e.Code = 1, 1
	return nil
}
