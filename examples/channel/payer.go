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

	mu    sync.Mutex
	file  *os.File
	total ledger.Amount               // of all claims
	paid  map[ledger.ID]ledger.Amount // the claim of each order
}

// paidOrder is a line of the file.
type paidOrder struct {
	Order      ledger.ID     `json:"order"`
	Cumulative ledger.Amount `json:"cumulative"`
}

// openPayer reads the claims that were made before. A last line without an end was being
// written when the process died: its claim has not left it.
func openPayer(path string, p *payer) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	p.file, p.paid = file, make(map[ledger.ID]ledger.Amount)
	lines, whole := bufio.NewReader(file), int64(0)
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		var line paidOrder
		if err == nil {
			err = json.Unmarshal(text, &line)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: line %d: %w", path, len(p.paid)+1, err), file.Close())
		}
		p.paid[line.Order], p.total = line.Cumulative, line.Cumulative
		whole += int64(len(text))
	}
	_, err = file.Seek(whole, io.SeekStart)
	return errors.Join(err, file.Truncate(whole))
}

// Settle implements settlement.Settler.
func (p *payer) Settle(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
	cumulative, err := p.claimFor(o)
	if err != nil {
		return ledger.Amount{}, err
	}
	if err := p.send(ctx, sign(p.key, p.channel, cumulative)); err != nil {
		return ledger.Amount{}, err // unknown: the order stays open, and gets the same claim again
	}
	return o.Amount, nil
}

// claimFor is the claim that pays an order.
func (p *payer) claimFor(o settlement.Order) (ledger.Amount, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	if _, err := p.file.Write(append(line, '\n')); err != nil {
		return ledger.Amount{}, err
	}
	if err := p.file.Sync(); err != nil {
		return ledger.Amount{}, err
	}
	p.paid[o.ID], p.total = cumulative, cumulative
	return cumulative, nil
}

func (p *payer) close() error { return p.file.Close() }
