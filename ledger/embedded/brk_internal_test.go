package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/idindex"
	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

var errBrk = errors.New("brk: injected")

// brkHooks decides about each operation of the sealed files.
type brkHooks struct {
	mu     sync.Mutex
	random *rand.Rand
	fail   int // one in fail operations that write fails; 0 never
	read   int // one in read reads fails
	pause  int // the number of writing operations until one waits; 0 never
	resume chan struct{}
	paused atomic.Bool
}

func (h *brkHooks) before(what string) error {
	h.mu.Lock()
	if what == "read" {
		defer h.mu.Unlock()
		if h.read > 0 && h.random.IntN(h.read) == 0 {
			return errBrk
		}
		return nil
	}
	if h.fail > 0 && h.random.IntN(h.fail) == 0 {
		h.mu.Unlock()
		return errBrk
	}
	var wait chan struct{}
	if h.pause > 0 {
		if h.pause--; h.pause == 0 {
			wait = h.resume
			h.paused.Store(true)
		}
	}
	h.mu.Unlock()
	if wait != nil {
		<-wait
		h.paused.Store(false)
	}
	return nil
}

func (h *brkHooks) armPause(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pause, h.resume = n, make(chan struct{})
}

func (h *brkHooks) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pause = 0
	if h.resume != nil {
		close(h.resume)
		h.resume = nil
	}
}

type brkFolder struct {
	sealed.Folder
	h *brkHooks
}

func (f brkFolder) CreateFile(name string) (sealed.File, error) {
	if err := f.h.before("create"); err != nil {
		return nil, err
	}
	file, err := f.Folder.CreateFile(name)
	if err != nil {
		return nil, err
	}
	return brkFile{file, f.h}, nil
}

func (f brkFolder) OpenFile(name string) (sealed.File, error) {
	if err := f.h.before("open"); err != nil {
		return nil, err
	}
	file, err := f.Folder.OpenFile(name)
	if err != nil {
		return nil, err
	}
	return brkFile{file, f.h}, nil
}

func (f brkFolder) RenameFile(from, to string) error {
	if err := f.h.before("rename"); err != nil {
		return err
	}
	return f.Folder.RenameFile(from, to)
}

func (f brkFolder) RemoveFile(name string) error {
	if err := f.h.before("remove"); err != nil {
		return err
	}
	return f.Folder.RemoveFile(name)
}

func (f brkFolder) SyncFolder() error {
	if err := f.h.before("syncfolder"); err != nil {
		return err
	}
	return f.Folder.SyncFolder()
}

type brkFile struct {
	sealed.File
	h *brkHooks
}

func (f brkFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.h.before("read"); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

func (f brkFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.h.before("write"); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, off)
}

func (f brkFile) Sync() error {
	if err := f.h.before("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

// brk compares a ledger in a folder with one in memory.
type brk struct {
	t      *testing.T
	r      *rand.Rand
	now    time.Time
	mem    *Ledger
	dir    string
	l      *Ledger
	every  int64
	h      *brkHooks
	room   atomic.Uint64
	sent   []ledger.Transfer
	made   []ledger.Transfer
	times  []uint64 // seen
	nextID uint64
	accts  uint64
	stat   map[string]int
	failed bool // seals fail now
}

func (b *brk) open() {
	l, err := Open(b.dir, WithClock(func() time.Time { return b.now }), WithCheckpointEvery(b.every), func(l *Ledger) {
		l.space.free = func(string) (uint64, bool) { return b.room.Load(), true }
		l.space.reserve = 100
	})
	require.NoError(b.t, err)
	b.h = &brkHooks{random: rand.New(rand.NewPCG(b.r.Uint64(), 0))}
	folder := brkFolder{l.books.cold.folder, b.h}
	l.books.cold.folder = folder
	manifest := l.books.cold.index.Manifest()
	require.NoError(b.t, l.books.cold.index.Close())
	l.books.cold.index, err = idindex.Open(folder, manifest, idindex.Options{MayUse: l.books.cold.mayUse})
	require.NoError(b.t, err)
	b.l = l
}

func brkDescribe(t *testing.T, dir string) map[string][2]int64 {
	files := map[string][2]int64{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				files[path] = [2]int64{info.Size(), info.ModTime().UnixNano()}
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}))
	return files
}

func (b *brk) copyFolder() string {
	for {
		before := brkDescribe(b.t, b.dir)
		copied := b.t.TempDir()
		err := os.CopyFS(copied, os.DirFS(b.dir))
		if maps.Equal(before, brkDescribe(b.t, b.dir)) {
			require.NoError(b.t, err)
			return copied
		}
		require.NoError(b.t, os.RemoveAll(copied))
	}
}

// restart opens the folder after a close or a crash.
func (b *brk) restart(crash bool) {
	old, oldDir := b.l, b.dir
	b.mem.Pulse()
	b.l.Pulse()
	_, err := b.mem.LookupAccounts(b.t.Context(), nil)
	require.NoError(b.t, err)
	_, err = b.l.LookupAccounts(b.t.Context(), nil)
	require.NoError(b.t, err)
	if crash {
		if b.h.paused.Load() {
			b.stat["crash while paused"]++
		}
		b.dir = b.copyFolder()
	}
	b.h.mu.Lock()
	b.h.fail, b.h.read = 0, 0
	b.h.mu.Unlock()
	b.h.release()
	err = old.Close()
	if err != nil {
		require.ErrorIs(b.t, err, ErrCheckpoint)
		b.stat["close failed"]++
	}
	if b.r.IntN(3) == 0 && !crash {
		l, err := Read(b.dir, WithClock(func() time.Time { return b.now }))
		require.NoError(b.t, err)
		b.mem.books.clock = l.books.clock
		b.l = l
		b.compareReads(3)
		require.NoError(b.t, l.VerifyFiles(b.t.Context()))
		require.NoError(b.t, l.Close())
		b.stat["read"]++
		// Reads may have released holds in memory only; so the ledger has to.
	}
	b.open()
	if crash {
		require.NoError(b.t, os.RemoveAll(oldDir))
	}
	require.Empty(b.t, b.l.Recovery().TornFile)
	require.Equal(b.t, int(b.mem.books.transferEnd()), b.l.Recovery().Transfers)
	b.l.books.clock.newestTimestamp = max(b.l.books.clock.newestTimestamp, b.mem.books.clock.newestTimestamp)
	b.mem.books.clock = b.l.books.clock
	b.stat["restart"]++
}

func (b *brk) acct() ledger.ID {
	if n := b.mem.books.accounts.count; n > 0 && b.r.IntN(25) != 0 {
		return b.mem.books.accounts.rowAt(position(b.r.IntN(int(n)))).ID
	}
	return ledger.NewID(1+b.r.Uint64N(b.accts+1), 0)
}

func (b *brk) time() uint64 {
	if len(b.times) == 0 {
		return 1
	}
	n := len(b.times)
	if b.r.IntN(2) == 0 {
		n = min(n, 20)
	}
	return b.times[len(b.times)-1-b.r.IntN(n)] + uint64(b.r.IntN(3)) - 1
}

func (b *brk) drawAccounts() []ledger.Account {
	imported := b.r.IntN(3) == 0
	var list []ledger.Account
	for range 1 + b.r.IntN(3) {
		a := ledger.Account{ID: ledger.NewID(b.accts+1, 0), Ledger: 1, Code: 1 + uint16(b.r.IntN(2)), UserData32: b.r.Uint32N(3)}
		if b.r.IntN(4) == 0 && b.accts > 0 {
			a.ID = b.acct()
		} else {
			b.accts++
		}
		a.Flags = []ledger.AccountFlags{0, 0, 0, ledger.AccountDebitsMustNotExceedCredits, ledger.AccountCreditsMustNotExceedDebits}[b.r.IntN(5)]
		if b.r.IntN(4) != 0 {
			a.Flags |= ledger.AccountHistory
		}
		if b.r.IntN(20) == 0 {
			a.Flags |= ledger.AccountClosed
		}
		if b.r.IntN(5) == 0 {
			a.Flags |= ledger.AccountLinked
		}
		if imported {
			a.Flags |= ledger.AccountImported
			a.Timestamp = b.time()
		}
		list = append(list, a)
	}
	return list
}

func (b *brk) drawTransfers() []ledger.Transfer {
	imported := b.r.IntN(4) == 0
	newest := b.mem.books.newestTransfer()
	var list []ledger.Transfer
	for range 1 + b.r.IntN(8) {
		var t ledger.Transfer
		b.nextID++
		id := ledger.NewID(b.nextID, 7)
		if b.nextID%2 == 0 {
			id = ledger.NewID(b.nextID*0x9e3779b97f4a7c15, b.nextID*0xd1342543de82ef95)
		}
		old := func() ledger.Transfer {
			if len(b.sent) == 0 {
				return ledger.Transfer{}
			}
			list := b.sent
			if b.r.IntN(5) != 0 && len(b.made) > 0 {
				list = b.made
			}
			n := len(list)
			if b.r.IntN(2) == 0 {
				n = min(n, 30)
			}
			return list[len(list)-1-b.r.IntN(n)]
		}
		switch k := b.r.IntN(20); {
		case k < 6:
			t = ledger.Transfer{ID: id, DebitAccountID: b.acct(), CreditAccountID: b.acct(), Amount: ledger.NewAmount(b.r.Uint64N(50)), Ledger: 1, Code: 1 + uint16(b.r.IntN(3))}
			if b.r.IntN(5) == 0 {
				t.Flags |= []ledger.TransferFlags{ledger.TransferBalancingDebit, ledger.TransferBalancingCredit}[b.r.IntN(2)]
			}
		case k < 11:
			t = ledger.Transfer{ID: id, DebitAccountID: b.acct(), CreditAccountID: b.acct(), Amount: ledger.NewAmount(b.r.Uint64N(50)), Ledger: 1, Code: 1 + uint16(b.r.IntN(3)), Flags: ledger.TransferPending}
			if b.r.IntN(2) == 0 && !imported {
				t.Timeout = 1 + b.r.Uint32N(4)
			}
			if b.r.IntN(10) == 0 {
				t.Flags |= []ledger.TransferFlags{ledger.TransferClosingDebit, ledger.TransferClosingCredit}[b.r.IntN(2)]
			}
		case k < 17:
			o := old()
			for range 8 {
				if o.Flags.Has(ledger.TransferPending) {
					break
				}
				o = old()
			}
			t = ledger.Transfer{ID: id, PendingID: o.ID, Flags: ledger.TransferVoidPending}
			if b.r.IntN(2) == 0 {
				t.Flags, t.Amount = ledger.TransferPostPending, ledger.AmountMax
				if b.r.IntN(3) == 0 {
					t.Amount = ledger.NewAmount(b.r.Uint64N(50))
				}
			}
		default:
			t = old()
			switch b.r.IntN(6) {
			case 0:
				t.Amount = ledger.NewAmount(b.r.Uint64N(50))
			case 1:
				t.UserData64++
			case 2:
				t.Code++
			case 3:
				t.PendingID = old().ID
			}
		}
		if t.ID == id {
			t.UserData64, t.UserData32 = b.r.Uint64N(3), b.r.Uint32N(3)
			t.UserData128 = uint128.From64(b.r.Uint64N(3))
		}
		t.Flags &^= ledger.TransferLinked
		if b.r.IntN(8) == 0 {
			t.Flags |= ledger.TransferLinked
		}
		if t.Flags.Has(ledger.TransferImported) != imported && b.r.IntN(10) != 0 {
			t.Flags ^= ledger.TransferImported
			t.Timestamp = 0
		}
		if t.Flags.Has(ledger.TransferImported) {
			t.Timeout = 0
			switch b.r.IntN(4) {
			case 0:
				t.Timestamp = b.time()
			case 1: // an expiry's moment
				if e := &b.mem.books.hot.expired; e.count > 0 {
					t.Timestamp = e.rowAt(e.count - 1 - position(b.r.IntN(int(min(e.count, 5))))).timestamp
				}
			default:
				newest += 1 + b.r.Uint64N(3)
				t.Timestamp = newest
			}
		}
		list = append(list, t)
	}
	b.sent = append(b.sent, list...)
	return list
}

func (b *brk) filterTimes() (low, high uint64) {
	if b.r.IntN(2) == 0 {
		low = b.time()
	}
	if b.r.IntN(2) == 0 {
		high = b.time()
	}
	return low, high
}

func (b *brk) compareReads(n int) {
	t, ctx := b.t, b.t.Context()
	for range n {
		var want, got any
		var err1, err2 error
		limit := 1 + b.r.Uint32N(60)
		if b.r.IntN(6) == 0 {
			limit = 2000
		}
		what := b.r.IntN(6)
		switch what {
		case 0:
			var ids []ledger.ID
			for range 1 + b.r.IntN(30) {
				if len(b.sent) > 0 {
					s := b.sent[b.r.IntN(len(b.sent))]
					ids = append(ids, s.ID, s.PendingID)
				}
			}
			want, err1 = b.mem.LookupTransfers(ctx, ids)
			got, err2 = b.l.LookupTransfers(ctx, ids)
		case 1, 2:
			f := ledger.AccountFilter{AccountID: b.acct(), Limit: limit, Flags: ledger.AccountFilterFlags(1 + b.r.Uint32N(7))}
			f.TimestampMin, f.TimestampMax = b.filterTimes()
			if b.r.IntN(3) == 0 {
				f.UserData64, f.Code = b.r.Uint64N(3), uint16(b.r.IntN(4))
			}
			if what == 1 {
				want, err1 = b.mem.GetAccountTransfers(ctx, f)
				got, err2 = b.l.GetAccountTransfers(ctx, f)
			} else {
				want, err1 = b.mem.GetAccountBalances(ctx, f)
				got, err2 = b.l.GetAccountBalances(ctx, f)
			}
		case 3:
			f := ledger.QueryFilter{Limit: limit, Flags: ledger.QueryFilterFlags(b.r.Uint32N(2))}
			f.TimestampMin, f.TimestampMax = b.filterTimes()
			if b.r.IntN(2) == 0 {
				f.UserData64, f.Code = b.r.Uint64N(3), uint16(b.r.IntN(4))
			}
			if b.r.IntN(2) == 0 {
				f.UserData128, f.UserData32 = uint128.From64(b.r.Uint64N(3)), b.r.Uint32N(3)
			}
			want, err1 = b.mem.QueryTransfers(ctx, f)
			got, err2 = b.l.QueryTransfers(ctx, f)
		case 4:
			f := ledger.QueryFilter{Limit: limit, Flags: ledger.QueryFilterFlags(b.r.Uint32N(2))}
			f.TimestampMin, f.TimestampMax = b.filterTimes()
			want, err1 = b.mem.QueryAccounts(ctx, f)
			got, err2 = b.l.QueryAccounts(ctx, f)
		case 5:
			f := ledger.ChangeEventsFilter{Limit: limit}
			f.TimestampMin, f.TimestampMax = b.filterTimes()
			want, err1 = b.mem.GetChangeEvents(ctx, f)
			got, err2 = b.l.GetChangeEvents(ctx, f)
		}
		require.NoError(t, err1)
		if err2 != nil {
			require.ErrorIs(t, err2, errBrk)
			b.stat["read failed"]++
			// same timestamps were used
		} else {
			require.Equal(t, want, got, "kind %d", what)
			b.stat["reads"]++
		}
		require.Equal(t, b.mem.books.clock.newestTimestamp, b.l.books.clock.newestTimestamp)
	}
}

func (b *brk) step() {
	t, ctx := b.t, b.t.Context()
	switch b.r.IntN(12) {
	case 0:
		b.now = b.now.Add(-time.Duration(b.r.Int64N(int64(2 * time.Second))))
	case 1, 2, 3:
		b.now = b.now.Add(time.Duration(b.r.Int64N(int64(2 * time.Second))))
	default:
		b.now = b.now.Add(time.Duration(b.r.Int64N(int64(50 * time.Millisecond))))
	}
	switch b.r.IntN(30) {
	case 0:
		b.room.Store(100) // no seal
	case 1, 2, 3:
		b.room.Store(1 << 40)
	case 4:
		b.h.mu.Lock()
		b.h.fail = 3 + b.r.IntN(30)
		b.h.mu.Unlock()
	case 5, 6, 7:
		b.h.mu.Lock()
		b.h.fail = 0
		b.h.mu.Unlock()
	case 8:
		b.h.mu.Lock()
		b.h.read = 2 + b.r.IntN(200)
		b.h.mu.Unlock()
	case 9, 10, 11:
		b.h.mu.Lock()
		b.h.read = 0
		b.h.mu.Unlock()
	case 12, 13:
		b.h.release()
		b.h.armPause(1 + b.r.IntN(25))
	case 14:
		b.h.release()
	}
	if b.r.IntN(3) != 0 && !b.h.paused.Load() {
		b.h.mu.Lock()
		armed := b.h.pause > 0
		b.h.mu.Unlock()
		if !armed {
			b.l.WaitForCheckpoint()
		}
	}
	if b.r.IntN(40) == 0 {
		b.restart(b.r.IntN(2) == 0)
	}
	if b.r.IntN(10) == 0 || b.accts < 4 {
		list := b.drawAccounts()
		b.h.mu.Lock()
		b.h.read = 0
		b.h.mu.Unlock()
		want, err := b.mem.CreateAccounts(ctx, list)
		require.NoError(t, err)
		got, err := b.l.CreateAccounts(ctx, list)
		require.NoError(t, err)
		require.Equal(t, want, got)
		return
	}
	if b.r.IntN(10) == 0 {
		b.mem.Pulse()
		b.l.Pulse()
	}
	list := b.drawTransfers()
	// Make the failing reads of the folder first, without effect on the one in memory.
	b.mem.Pulse()
	b.l.Pulse()
	for {
		before := b.l.books.clock
		memBefore := b.mem.books.clock
		require.Equal(t, memBefore.newestTimestamp, before.newestTimestamp)
		got, err := b.l.CreateTransfers(ctx, list)
		if err != nil {
			require.ErrorIs(t, err, errBrk)
			b.stat["transfers failed"]++
			b.l.books.clock = before
			b.h.mu.Lock()
			b.h.read = 0
			b.h.mu.Unlock()
			continue
		}
		want, err := b.mem.CreateTransfers(ctx, list)
		require.NoError(t, err)
		for i := range want {
			require.Equal(t, want[i].Status.String(), got[i].Status.String(), "%d of %+v", i, list)
			b.stat[want[i].Status.String()]++
			b.times = append(b.times, want[i].Timestamp)
			if want[i].Status == ledger.TransferCreated {
				b.made = append(b.made, list[i])
			}
		}
		require.Equal(t, want, got)
		break
	}
	b.times = append(b.times, b.mem.books.newestTransfer(), b.mem.books.clock.newestTimestamp)
	b.compareReads(b.r.IntN(4))
}

func TestBrkDifferential(t *testing.T) {
	t.Parallel()
	rounds, steps := 10, 400
	if s := os.Getenv("BRK_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	seed := rand.Uint64()
	if s := os.Getenv("BRK_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
		rounds = 1
	}
	for range rounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := &brk{t: t, r: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), dir: t.TempDir(), stat: map[string]int{}}
			b.room.Store(1 << 40)
			b.every = []int64{1, 500, 3000, 10000}[b.r.IntN(4)]
			b.mem = New(WithClock(func() time.Time { return b.now }))
			b.open()
			for range steps {
				b.step()
			}
			b.restart(true)
			b.compareReads(100)
			require.NoError(t, b.l.VerifyFiles(t.Context()))
			b.restart(false)
			b.compareReads(100)
			require.NoError(t, b.l.Close())
			t.Log(b.every, b.stat, b.mem.books.transferEnd())
		})
		seed = rand.Uint64()
		if t.Failed() {
			return
		}
	}
}
