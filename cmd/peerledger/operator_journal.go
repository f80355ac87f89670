package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

const (
	// defaultOperatorJournal is the file of the operator's journal, beside the configuration.
	defaultOperatorJournal = "operator-journal.jsonl"
	// noOperatorJournal in place of a file switches the journal off.
	noOperatorJournal = "none"
	// operatorEnv names the operator, in place of the user of the operating system.
	operatorEnv = "PEERLEDGER_OPERATOR"
)

// operatorJournal returns the file of the operator's journal; "" if there is none.
func (c config) operatorJournal() string {
	switch {
	case c.OperatorJournal == noOperatorJournal, c.OperatorJournal == "" && c.file == "":
		return ""
	case c.OperatorJournal == "":
		return filepath.Join(filepath.Dir(c.file), defaultOperatorJournal)
	default:
		return c.OperatorJournal
	}
}

// findOperator returns the name of the operator: $PEERLEDGER_OPERATOR, or the user of the operating system.
func (a *app) findOperator() string {
	if name := a.getenv(operatorEnv); name != "" {
		return name
	}
	name := "uid " + strconv.Itoa(os.Getuid())
	if current, err := user.Current(); err == nil && current.Username != "" {
		name = current.Username
	}
	if by := a.getenv("SUDO_USER"); by != "" && by != name {
		name += " (sudo by " + by + ")"
	}
	return name
}

// journalError is returned when the operator's journal cannot be written. Nothing was changed then.
type journalError struct {
	config string // the configuration file
	err    error  // it names the journal
}

func (e *journalError) Error() string {
	return fmt.Sprintf("nothing was changed, since the operator's journal cannot be written: %v; operator_journal in %s names another file, or none", e.err, e.config)
}
func (e *journalError) Unwrap() error { return e.err }

// checkOperatorJournal refuses a journal that cannot be written, before a command opens or creates a ledger.
func (a *app) checkOperatorJournal(cfg config) error {
	log, err := openOperatorJournal(cfg)
	if err != nil || log == nil {
		return err
	}
	return log.Close()
}

// openOperatorJournal opens the operator's journal; nil without one.
func openOperatorJournal(cfg config) (*operatorlog.Log, error) {
	path := cfg.operatorJournal()
	if path == "" {
		return nil, nil //nolint:nilnil // no journal is a valid result
	}
	log, err := operatorlog.Open(path)
	if err != nil {
		return nil, &journalError{cfg.fileName(), err}
	}
	return log, nil
}

// actions are the acts of one command in the operator's journal, in the order of its changes.
type actions struct {
	app  *app
	log  *operatorlog.Log // nil without a journal
	acts []*operatorlog.Act
}

// beginActs writes changes to the operator's journal, before the command makes them. After an error the command must change nothing.
// The caller ends each act and then closes the journal.
func (a *app) beginActs(changes ...change) (*actions, error) {
	cfg, err := a.readConfig()
	if err != nil {
		return nil, err
	}
	list := &actions{app: a}
	if list.log, err = openOperatorJournal(cfg); err != nil || list.log == nil {
		return list, err
	}
	for _, c := range changes {
		entry := operatorlog.Entry{Who: a.findOperator(), Via: "command"}
		c.describeIn(&entry)
		act, err := list.log.Begin(entry)
		if err != nil {
			err = &journalError{cfg.fileName(), err}
			for i := range list.acts {
				list.endAct(i, changes[i], operatorlog.Failed, err)
			}
			return nil, errors.Join(err, list.log.Close())
		}
		list.acts = append(list.acts, act)
	}
	return list, nil
}

// endAct writes the outcome of a change. The change itself stays as it is if that fails: the command warns.
func (l *actions) endAct(i int, c change, outcome operatorlog.Outcome, err error) {
	if l.log == nil {
		return
	}
	act := l.acts[i]
	act.Amend(c.describeIn)
	transfer := c.Transfer
	if transfer == (ledger.ID{}).String() { // of an error
		transfer = ""
	}
	if err := act.End(outcome, transfer, err); err != nil {
		fmt.Fprintf(l.app.stderr, "peerledger: warning: %v\n", err)
	}
}

// closeJournal closes the journal.
func (l *actions) closeJournal() {
	if l.log != nil {
		_ = l.log.Close() // it holds nothing
	}
}

// recordAct calls do, with a line in the operator's journal before it and one after it.
func (a *app) recordAct(c *change, do func(*change) error) error {
	list, err := a.beginActs(*c)
	if err != nil {
		return err
	}
	defer list.closeJournal()
	err = do(c)
	list.endAct(0, *c, findOutcome(*c, err), err)
	return err
}

// describeIn sets the fields of a change in an entry of the journal.
func (c change) describeIn(e *operatorlog.Entry) {
	e.Action, e.Peer, e.Asset, e.Amount, e.Before, e.After = c.Action, c.Peer, c.Asset, c.Amount, c.Before, c.After
	e.Reason, e.ReasonName, e.Key, e.Order = c.Reason, c.ReasonName, c.Key, c.Order
	rail, payment := "", ""
	if c.Rail != nil {
		rail = "rail " + strconv.Quote(*c.Rail)
	}
	if c.Payment != "" && c.Payment != c.Key {
		payment = "payment " + c.Payment
	}
	e.Note = joinNotes(c.detail, rail, payment)
}

// findOutcome returns the outcome of a change for the journal.
func findOutcome(c change, err error) operatorlog.Outcome {
	switch {
	case err == nil && c.Already:
		return operatorlog.Already
	case err == nil:
		return operatorlog.Written
	case exitStatus(err) == statusUnknown:
		return operatorlog.Unknown
	case errors.Is(err, errUsage), errors.Is(err, errNothingOrdered), effects.IsRefusal(err):
		return operatorlog.Refused
	default:
		return operatorlog.Failed
	}
}

// errNothingOrdered is the outcome in the journal for a peer to which nothing was due.
var errNothingOrdered = errors.New("nothing was ordered")

// endPayments writes the outcome of a payment to each peer of a plan.
func (l *actions) endPayments(plan []change, payments []settlement.Payment, err error) {
	for i, c := range plan {
		at := slices.IndexFunc(payments, func(p settlement.Payment) bool {
			return p.Order.Account.Peer() == c.Peer && p.Order.Asset.String() == c.Asset
		})
		switch {
		case at >= 0:
			p := payments[at]
			c.Amount, c.Order, c.Transfer = p.Order.Asset.Format(p.Paid), p.Order.ID.String(), p.Order.ID.String()
			l.endAct(i, c, operatorlog.Written, nil)
		case err != nil && len(plan) > 1 && exitStatus(err) != statusUnknown: // the error may be of another peer
			l.endAct(i, c, operatorlog.Failed, err)
		case err != nil:
			l.endAct(i, c, findOutcome(c, err), err)
		default:
			l.endAct(i, c, operatorlog.Refused, fmt.Errorf("%w: %s", errNothingOrdered, cmp.Or(c.Note, "nothing is due any more")))
		}
	}
}
