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

// execSettler is a [settlement.Settler] that pays orders with a program of the operator.
type execSettler struct {
	program string
	stderr  io.Writer // of the program
}

// execRail is the rail of the orders that "settle now" and "settle refund" place. No connector has
// a rail of this name, so no connector pays such an order a second time.
const execRail = "peerledger settle now"

// errNoAmount is returned when the program did not print the paid amount.
var errNoAmount = errors.New("the program must print the paid amount")

// errOrderOpen is returned when the program's answer leaves the paid amount unknown. The order
// stays open.
var errOrderOpen = errors.New("the order stays open")

// The exit statuses of the program with a meaning of their own.
const (
	exitDeclined = 3
	exitPending  = 4
)

// Settle runs the program. An answer that cannot be read leaves the order open, because the paid
// amount is unknown.
func (p execSettler) Settle(ctx context.Context, order settlement.Order) (ledger.Amount, error) {
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
	case errors.As(err, &ended) && ended.ExitCode() == exitDeclined:
		return ledger.Amount{}, settlement.ErrDeclined
	case errors.As(err, &ended) && ended.ExitCode() == exitPending:
		return ledger.Amount{}, fmt.Errorf("%w: %w", errOrderOpen, settlement.ErrPending)
	case err != nil:
		return ledger.Amount{}, fmt.Errorf("%w: %s: %w", errOrderOpen, p.program, err)
	}
	paid, err := order.Asset.Parse(strings.TrimSpace(output.String()))
	if err != nil {
		return ledger.Amount{}, fmt.Errorf("%w: %s: %w, not %q", errOrderOpen, p.program, errNoAmount, strings.TrimSpace(output.String()))
	}
	return paid, nil
}
