package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// payer pays orders on a channel; it is the [settlement.Settler]. Every order has one claim for
// ever: the claim is written to a file before it leaves the process, so after a crash the order
// gets the same claim. The payee books a claim once. So an order is paid once, however often Settle
// is called.
type payer struct {
	key     ed25519.PrivateKey
	channel string
	deposit ledger.Amount
	send    func(context.Context, claim) error // returns nil when the payee has booked the claim

	mu          sync.Mutex
	path        string                      // of the file of claims
	syncedBytes int64                       // length of the lines on disk
	total       ledger.Amount               // the largest claim
	claims      map[ledger.ID]ledger.Amount // Cumulative of each order's claim
	closed      bool
}

// paidOrder is a line of the file.
type paidOrder struct {
	Order      ledger.ID     `json:"order"`
	Cumulative ledger.Amount `json:"cumulative"`
}

// openPayer reads the claims of earlier processes. A last line without a line end was being written
// when the process died: its claim was never sent.
func openPayer(path string, p *payer) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	p.path, p.claims = path, make(map[ledger.ID]ledger.Amount)
	lines := bufio.NewReader(file)
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return p.writeLine(file, nil) // the lines read may not be on disk yet
		}
		var line paidOrder
		if err == nil {
			err = json.Unmarshal(text, &line)
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", path, len(p.claims)+1, err)
		}
		p.claims[line.Order], p.total = line.Cumulative, line.Cumulative
		p.syncedBytes += int64(len(text))
	}
}

// appendLine writes a line and returns when it is on disk.
func (p *payer) appendLine(line []byte) error {
	file, err := os.OpenFile(p.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(p.writeLine(file, line), file.Close()); err != nil {
		return err
	}
	p.syncedBytes += int64(len(line))
	return nil
}

// writeLine writes a line after the complete lines. It first cuts off the remains of a failed
// write: otherwise the file could become unreadable, or contain a claim that was never sent.
func (p *payer) writeLine(file *os.File, line []byte) error {
	if err := file.Truncate(p.syncedBytes); err != nil {
		return err
	}
	if _, err := file.WriteAt(line, p.syncedBytes); err != nil {
		return err
	}
	return file.Sync()
}

// Settle implements [settlement.Settler].
func (p *payer) Settle(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
	cumulative, err := p.assignClaim(o)
	if err != nil {
		return ledger.Amount{}, err
	}
	if err := p.send(ctx, signClaim(p.key, p.channel, cumulative)); err != nil {
		return ledger.Amount{}, err // outcome unknown: the order stays open and gets the same claim again
	}
	return o.Amount, nil
}

// assignClaim returns the Cumulative of the claim that pays an order. For a new order it writes a
// new claim to the file.
func (p *payer) assignClaim(o settlement.Order) (ledger.Amount, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ledger.Amount{}, os.ErrClosed
	}
	if cumulative, known := p.claims[o.ID]; known {
		return cumulative, nil
	}
	cumulative, ok := p.total.Add(o.Amount)
	if !ok || p.deposit.Less(cumulative) {
		return ledger.Amount{}, fmt.Errorf("%w: the deposit of the channel is used up", settlement.ErrDeclined)
	}
	line, err := json.Marshal(paidOrder{o.ID, cumulative})
	if err != nil {
		return ledger.Amount{}, err
	}
	if err := p.appendLine(append(line, '\n')); err != nil {
		return ledger.Amount{}, err // nothing was sent, so the next attempt may use another claim
	}
	p.claims[o.ID], p.total = cumulative, cumulative
	return cumulative, nil
}

// closePayer stops new claims.
func (p *payer) closePayer() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}
