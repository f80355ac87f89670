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

// payer pays orders on a channel: it is the Settler. An order is paid with one claim, for
// ever: which one is in a file before the claim leaves the process, so that after a crash
// the same order gets the same claim. The payee books a claim once. So an order is paid
// once, however often Settle is called.
type payer struct {
	key     ed25519.PrivateKey
	channel string
	deposit ledger.Amount
	send    func(context.Context, claim) error // to the payee; nil when it has booked the claim

	mu     sync.Mutex
	path   string                      // of the file
	whole  int64                       // bytes of its lines that are on disk
	total  ledger.Amount               // of all claims
	paid   map[ledger.ID]ledger.Amount // the claim of each order
	closed bool
}

// paidOrder is a line of the file.
type paidOrder struct {
	Order      ledger.ID     `json:"order"`
	Cumulative ledger.Amount `json:"cumulative"`
}

// openPayer reads the claims that were made before. A last line without an end was being
// written when the process died: its claim has not left it.
func openPayer(path string, p *payer) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	p.path, p.paid = path, make(map[ledger.ID]ledger.Amount)
	lines := bufio.NewReader(file)
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return p.writeLine(file, nil) // a line that was read may not be on disk yet
		}
		var line paidOrder
		if err == nil {
			err = json.Unmarshal(text, &line)
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", path, len(p.paid)+1, err)
		}
		p.paid[line.Order], p.total = line.Cumulative, line.Cumulative
		p.whole += int64(len(text))
	}
}

// appendLine writes a line, and returns when it is on disk.
func (p *payer) appendLine(line []byte) error {
	file, err := os.OpenFile(p.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(p.writeLine(file, line), file.Close()); err != nil {
		return err
	}
	p.whole += int64(len(line))
	return nil
}

// writeLine writes a line behind the whole ones. What a failed write has left there, a part of a
// line or all of it, is cut off first: else nobody could read the file any more, or a claim
// that was never made would be found in it.
func (p *payer) writeLine(file *os.File, line []byte) error {
	if err := file.Truncate(p.whole); err != nil {
		return err
	}
	if _, err := file.WriteAt(line, p.whole); err != nil {
		return err
	}
	return file.Sync()
}

// Settle implements settlement.Settler.
func (p *payer) Settle(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
	cumulative, err := p.claimFor(o)
	if err != nil {
		return ledger.Amount{}, err
	}
	if err := p.send(ctx, signClaim(p.key, p.channel, cumulative)); err != nil {
		return ledger.Amount{}, err // unknown: the order stays open, and gets the same claim again
	}
	return o.Amount, nil
}

// claimFor is the claim that pays an order.
func (p *payer) claimFor(o settlement.Order) (ledger.Amount, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ledger.Amount{}, os.ErrClosed
	}
	if cumulative, known := p.paid[o.ID]; known {
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
		return ledger.Amount{}, err // nothing was sent, and the next attempt may be given another claim
	}
	p.paid[o.ID], p.total = cumulative, cumulative
	return cumulative, nil
}

// closePayer lets no claim be made any more.
func (p *payer) closePayer() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}
