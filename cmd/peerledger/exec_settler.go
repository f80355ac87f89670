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

// execSettler pays orders with a program of the operator's.
type execSettler struct {
	program string
	stderr  io.Writer // of the program
}

// execRail is the rail of orders that "settle now" places. It is another one than any
// connector's, so no connector ever pays such an order, with its own means and a second
// time.
const execRail = "peerledger settle now"

// errNoAmount says that the program did not say what it paid.
var errNoAmount = errors.New("it must print the amount that was paid")

// errOrderOpen says that an order stays open after its program was called: what was paid for
// it is not known.
var errOrderOpen = errors.New("the order stays open")

// The program's statuses.
const (
	exitDeclined = 3
	exitPending  = 4
)

// Settle runs the program. An answer that cannot be read leaves the order open: nobody
// knows what was paid.
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
