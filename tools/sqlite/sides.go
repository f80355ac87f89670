package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// figures are what a side has measured.
type figures struct {
	Packets  int64   `json:"packets"`
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"packets_per_second"`
	P50      float64 `json:"p50_us"` // of an operation, from when it could be sent to its answer
	P99      float64 `json:"p99_us"`
	P100     float64 `json:"p100_us"`
	Requests int64   `json:"requests"` // transactions
	Disk     int64   `json:"disk_bytes"`
	CPU      float64 `json:"cpu_us_per_packet"` // of all threads
}

// stopwatch measures a side from its first packet to its last.
type stopwatch struct {
	began time.Time
	cpu   time.Duration
}

func startWatch() stopwatch { return stopwatch{time.Now(), readProcessorTime()} }

func (w stopwatch) stop(f *figures, packets int64) {
	took, cpu := time.Since(w.began), readProcessorTime()-w.cpu
	f.Packets, f.Seconds, f.Rate = packets, took.Seconds(), float64(packets)/took.Seconds()
	f.CPU = float64(cpu) / float64(time.Microsecond) / float64(packets)
}

func (f *figures) setDurations(durations []time.Duration) {
	slices.Sort(durations)
	at := func(share float64) float64 {
		i := min(len(durations)-1, int(share*float64(len(durations))))
		return float64(durations[i]) / float64(time.Microsecond)
	}
	f.P50, f.P99, f.P100 = at(0.5), at(0.99), at(1)
}

// run has the sizes of a measurement.
type run struct {
	packets int64
	window  int // packets under way
	peers   int
	lanes   int
	seed    uint64
	way     string // wayC or wayGo
	legs    int
	pragmas []string
	indexed bool
}

// The ways to use SQLite.
const (
	wayC  = "c"  // books.c, with a call from Go for each batch
	wayGo = "go" // database/sql and its driver, with calls from Go for each row
)

// database is double entry on SQLite. Every commit is synced.
type database interface {
	addAccount(id ledger.ID, limited bool, credits int64) error
	apply(events []ledger.Transfer) error
	read(id ledger.ID) (balances, error)
	count() (transfers, holds int64, err error)
	close() error
}

func (r *run) openDatabase(ctx context.Context, folder string) (database, error) {
	path := filepath.Join(folder, "books.sqlite")
	if r.way == wayGo {
		return openGoBooks(ctx, path, r.pragmas, r.indexed)
	}
	return openSQLite(path, r.pragmas, r.indexed)
}

var errBooks = errors.New("the books are wrong")

// recordInFolder writes the packets through a recorder into a ledger in a new folder. One goroutine
// submits: the fulfill of a packet when its prepare is answered, and a new prepare when a fulfill is.
func (r *run) recordInFolder(ctx context.Context, folder string) (f figures, err error) {
	l, err := embedded.Open(folder)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	t, book, err := newTraffic(ctx, l, r.peers, r.legs, r.seed)
	if err != nil {
		return f, err
	}
	var requests atomic.Int64
	recorder, err := transfers.NewRecorder(l, book, transfers.Config{Lanes: r.lanes, Events: transfers.Events{
		Batch: func(b transfers.Batch) { requests.Add(int64(b.Requests)) },
	}})
	if err != nil {
		return f, err
	}
	watch := startWatch()
	durations, err := r.submitAll(ctx, recorder, t)
	watch.stop(&f, r.packets)
	if err = errors.Join(err, recorder.Close(ctx)); err != nil {
		return f, err
	}
	f.setDurations(durations)
	f.Requests = requests.Load()
	if f.Disk, err = sizeOf(folder); err != nil {
		return f, err
	}
	return f, checkLedger(ctx, l, t.expect(r.packets))
}

// underway is a submitted operation.
type underway struct {
	future transfers.Future
	began  time.Time
	hold   bool
}

func (r *run) submitAll(ctx context.Context, recorder *transfers.Recorder, t *traffic) ([]time.Duration, error) {
	ring := make([]underway, min(int64(r.window), r.packets))
	durations := make([]time.Duration, 0, 2*r.packets)
	next, left := int64(0), r.packets
	submit := func(at int, op transfers.Op, hold bool, now time.Time) (err error) {
		u := underway{began: now, hold: hold}
		u.future, err = recorder.Submit(ctx, op)
		ring[at] = u
		return err
	}
	for i := range ring {
		if err := submit(i, t.prepare(next), true, time.Now()); err != nil {
			return nil, err
		}
		next++
	}
	for i := 0; left > 0; i = (i + 1) % len(ring) {
		if ring[i].began.IsZero() {
			continue
		}
		result := ring[i].future.Wait(ctx)
		if result.Err != nil {
			return nil, result.Err
		}
		now := time.Now()
		durations = append(durations, now.Sub(ring[i].began))
		var err error
		switch {
		case ring[i].hold:
			err = submit(i, transfers.FulfillOp(result.Packet), false, now)
		case next < r.packets:
			left--
			err = submit(i, t.prepare(next), true, now)
			next++
		default:
			left--
			ring[i] = underway{}
		}
		if err != nil {
			return nil, err
		}
	}
	return durations, nil
}

func checkLedger(ctx context.Context, l ledger.Ledger, want map[ledger.ID]balances) error {
	for id, expected := range want {
		found, err := l.LookupAccounts(ctx, []ledger.ID{id})
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("%w: there is no account %v", errBooks, id)
		}
		a := &found[0]
		got := balances{int64(a.DebitsPending.Lo), int64(a.CreditsPending.Lo), int64(a.DebitsPosted.Lo), int64(a.CreditsPosted.Lo)}
		if got != expected {
			return fmt.Errorf("%w: account %v has %v, not %v", errBooks, id, got, expected)
		}
	}
	return nil
}

// recordInSQLite writes the same packets into a new database. Each transaction has the fulfills of
// the packets that the last one held, and as many new prepares: no operation waits for a queue.
func (r *run) recordInSQLite(ctx context.Context, folder string) (f figures, err error) {
	l := embedded.New() // for the ids of the accounts
	defer func() { err = errors.Join(err, l.Close()) }()
	t, _, err := newTraffic(ctx, l, r.peers, r.legs, r.seed)
	if err != nil {
		return f, err
	}
	b, err := r.openDatabase(ctx, folder)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, p := range t.peers {
		if err := b.addAccount(p.ID(), true, creditLine); err != nil {
			return f, err
		}
	}
	if err := b.addAccount(t.revenue, false, 0); err != nil {
		return f, err
	}
	watch := startWatch()
	durations, requests, err := r.applyAll(ctx, b, t)
	watch.stop(&f, r.packets)
	if err != nil {
		return f, err
	}
	f.setDurations(durations)
	f.Requests = requests
	if f.Disk, err = sizeOf(folder); err != nil {
		return f, err
	}
	return f, r.checkSQLite(b, t.expect(r.packets))
}

func (r *run) applyAll(ctx context.Context, b database, t *traffic) (durations []time.Duration, requests int64, err error) {
	durations = make([]time.Duration, 0, 2*r.packets)
	events := make([]ledger.Transfer, 0, 2*r.window)
	half := int64(max(1, r.window/2))
	held, next := int64(0), int64(0) // packets before held are posted, packets before next are held
	for held < r.packets {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		began := time.Now()
		events = events[:0]
		end := min(next+half, r.packets)
		operations := next - held + end - next
		for ; held < next; held++ {
			events = t.appendPost(events, held)
		}
		for ; next < end; next++ {
			events = t.appendHold(events, next)
		}
		if err := b.apply(events); err != nil {
			return nil, 0, err
		}
		took := time.Since(began)
		for range operations {
			durations = append(durations, took)
		}
		requests++
	}
	return durations, requests, nil
}

func (r *run) checkSQLite(b database, want map[ledger.ID]balances) error {
	rows, holds, err := b.count()
	if err != nil {
		return err
	}
	if rows != int64(2*r.legs)*r.packets || holds != 0 {
		return fmt.Errorf("%w: %d rows and %d holds of %d packets", errBooks, rows, holds, r.packets)
	}
	for id, expected := range want {
		got, err := b.read(id)
		if err != nil {
			return err
		}
		if got != expected {
			return fmt.Errorf("%w: account %v has %v, not %v", errBooks, id, got, expected)
		}
	}
	return nil
}

// sizeOf returns the bytes of the files in a folder.
func sizeOf(folder string) (size int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a merge has replaced the file
		}
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
