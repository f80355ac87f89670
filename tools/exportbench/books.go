//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

const peers = 1000

var usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}

// columns are the nine columns of both sides.
var columns = []string{"time", "transfer", "kind", "asset", "debit", "credit", "amount", "debit_balance", "credit_balance"}

// books is the filled ledger.
type books struct {
	ledger *embedded.Ledger
	book   *accounts.Book
	names  []string
}

// fillLedger fills a ledger with packets that are booked in one step: each is one row.
func fillLedger(ctx context.Context, o *options, work string) (*books, error) {
	folder := filepath.Join(work, "ledger")
	open := func() (*embedded.Ledger, error) {
		if o.ledger == "memory" {
			return embedded.New(), nil
		}
		return embedded.Open(folder)
	}
	l, err := open()
	if err != nil {
		return nil, err
	}
	b := &books{ledger: l}
	if b.book, err = accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}}); err != nil {
		return nil, err
	}
	if err := b.writeRows(ctx, o.rows); err != nil {
		return nil, err
	}
	if o.ledger == "folder" { // as a command finds it
		if err := l.Close(); err != nil {
			return nil, err
		}
		if b.ledger, err = open(); err != nil {
			return nil, err
		}
		b.book, err = accounts.NewBook(b.ledger, accounts.Config{Assets: []accounts.Asset{usd}})
	}
	return b, err
}

// writeRows provisions the peers and writes the rows.
func (b *books) writeRows(ctx context.Context, rows int) error {
	list := make([]accounts.PeerConfig, peers)
	for i := range list {
		list[i] = accounts.PeerConfig{ID: fmt.Sprintf("g.peer-%d", i), Asset: usd, CreditLine: accounts.Unlimited}
		b.names = append(b.names, list[i].ID)
	}
	handles, err := b.book.Provision(ctx, list...)
	if err != nil {
		return err
	}
	for first := 0; first < rows; {
		batch := make([]ledger.Transfer, min(ledger.BatchMax, rows-first))
		for i := range batch {
			n := uint64(first + i)
			from := n * 7919 % peers
			to := (from + 1 + n*104729%(peers-1)) % peers
			batch[i] = ledger.Transfer{
				ID: ledger.NewID(n+1, n|1<<40), DebitAccountID: handles[from].ID(), CreditAccountID: handles[to].ID(), Ledger: usd.Ledger,
				Amount: ledger.NewAmount(1 + n*2654435761%1_000_000_000), Code: chart.CodePacket, UserData128: uint128.New(n+1, n|1<<40), UserData64: n,
			}
		}
		results, err := b.ledger.CreateTransfers(ctx, batch)
		if err != nil {
			return err
		}
		for i := range results {
			if results[i].Status != ledger.TransferCreated {
				return fmt.Errorf("row %d: %v", first+i, results[i].Status)
			}
		}
		first += len(batch)
	}
	return nil
}

// cost is the time of one side, and the processor time of all its processes.
type cost struct{ took, processor time.Duration }

// exportTo exports to a file, and returns its cost and the growth of resident memory meanwhile.
func (b *books) exportTo(ctx context.Context, path string) (used cost, peak int64, err error) {
	debug.FreeOSMemory()
	before := readStatus("VmRSS:")
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // resets VmHWM
		return used, 0, err
	}
	began, busy := time.Now(), processorTime()
	_, err = export.WriteFile(ctx, b.ledger, b.book, export.Query{Names: b.names}, path, export.CSV(columns...))
	return cost{time.Since(began), processorTime() - busy}, readStatus("VmHWM:") - before, err
}

// processorTime returns the processor time of this process, the kernel's for it included.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// readStatus returns a field of /proc/self/status in bytes, 0 if there is none.
func readStatus(field string) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == field {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// compareFiles returns an error unless two files are equal.
func compareFiles(a, b string) error {
	one, err := os.Open(a)
	if err != nil {
		return err
	}
	defer func() { _ = one.Close() }()
	two, err := os.Open(b)
	if err != nil {
		return err
	}
	defer func() { _ = two.Close() }()
	blockA, blockB := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, errA := io.ReadFull(one, blockA)
		m, errB := io.ReadFull(two, blockB)
		if !bytes.Equal(blockA[:n], blockB[:m]) {
			return errors.New("the two files differ")
		}
		if errA != nil || errB != nil {
			if isEnd(errA) && isEnd(errB) {
				return nil
			}
			return errors.Join(errA, errB)
		}
	}
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
