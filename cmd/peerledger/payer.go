package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// payer pays orders with a program of the operator's.
type payer struct {
	program string
	stderr  io.Writer // of the program
}

// payerRail is the rail of orders that "settle now" places. It is another one than any
// connector's, so no connector ever pays such an order, with its own means and a second
// time.
const payerRail = "peerledger settle now"

// errPayer says that the program did not say what it paid.
var errPayer = errors.New("it must print the amount that was paid")

// errUnanswered says that an order stays open after its program was called: what was paid for
// it is not known.
var errUnanswered = errors.New("the order stays open")

// The program's statuses.
const (
	payerDeclined = 3
	payerPending  = 4
)

// Settle runs the program. An answer that cannot be read leaves the order open: nobody
// knows what was paid.
func (p payer) Settle(ctx context.Context, order settlement.Order) (ledger.Amount, error) {
	input, err := json.Marshal(struct {
		Key    string `json:"key"`
		Peer   string `json:"peer"`
		Asset  string `json:"asset"`
		Scale  uint8  `json:"scale"`
		Units  string `json:"units"`
		Amount string `json:"amount"` // in whole units
	}{order.ID.String(), order.Account.Peer(), order.Asset.Code, order.Asset.Scale, order.Amount.String(), order.Asset.Format(order.Amount)})
	if err != nil {
		return ledger.Amount{}, err
	}
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, p.program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &output, p.stderr
	cmd.WaitDelay = time.Second
	var ended *exec.ExitError
	switch err := cmd.Run(); {
	case errors.As(err, &ended) && ended.ExitCode() == payerDeclined:
		return ledger.Amount{}, settlement.ErrDeclined
	case errors.As(err, &ended) && ended.ExitCode() == payerPending:
		return ledger.Amount{}, fmt.Errorf("%w: %w", errUnanswered, settlement.ErrPending)
	case err != nil:
		return ledger.Amount{}, fmt.Errorf("%w: %s: %w", errUnanswered, p.program, err)
	}
	paid, err := order.Asset.Parse(strings.TrimSpace(output.String()))
	if err != nil {
		return ledger.Amount{}, fmt.Errorf("%w: %s: %w, not %q", errUnanswered, p.program, errPayer, strings.TrimSpace(output.String()))
	}
	return paid, nil
}
