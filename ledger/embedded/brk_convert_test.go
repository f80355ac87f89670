package embedded

import (
	"encoding/gob"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

type brkRecord struct {
	Now       int64
	Accounts  []ledger.Account
	Transfers []ledger.Transfer
}

// A folder that the version before wrote, with requests of all kinds, has the same books after its
// conversion. BRK_OLD is the test binary of that version (brk_old_test.go in /work/wt/brk-old).
func TestBrkConversion(t *testing.T) {
	old := os.Getenv("BRK_OLD")
	if old == "" {
		t.Skip("no old binary")
	}
	seed := rand.Uint64()
	if s := os.Getenv("BRK_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Log(seed)
	b := &brk{t: t, r: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), stat: map[string]int{}}
	b.mem = New(WithClock(func() time.Time { return b.now }))
	var list []brkRecord
	for range 400 {
		b.now = b.now.Add(time.Duration(b.r.Int64N(int64(400 * time.Millisecond))))
		r := brkRecord{Now: b.now.UnixNano()}
		switch k := b.r.IntN(20); {
		case k == 0 || b.accts < 4:
			r.Accounts = b.drawAccounts()
			_, err := b.mem.CreateAccounts(t.Context(), r.Accounts)
			require.NoError(t, err)
		case k == 1:
			b.mem.Pulse()
		default:
			r.Transfers = b.drawTransfers()
			results, err := b.mem.CreateTransfers(t.Context(), r.Transfers)
			require.NoError(t, err)
			for i := range results {
				b.times = append(b.times, results[i].Timestamp)
				if results[i].Status == ledger.TransferCreated {
					b.made = append(b.made, r.Transfers[i])
				}
			}
			b.times = append(b.times, b.mem.books.newestTransfer(), b.mem.books.clock.newestTimestamp)
		}
		list = append(list, r)
	}
	_, err := b.mem.LookupAccounts(t.Context(), nil)
	require.NoError(t, err)
	records := filepath.Join(t.TempDir(), "records")
	f, err := os.Create(records)
	require.NoError(t, err)
	require.NoError(t, gob.NewEncoder(f).Encode(list))
	require.NoError(t, f.Close())
	for _, every := range []string{"", "1"} {
		dir := t.TempDir()
		c := exec.Command(old, "-test.run=^TestBrkReplayOld$")
		c.Env = append(os.Environ(), "BRK_RECORDS="+records, "BRK_DIR="+dir, "BRK_EVERY="+every)
		output, err := c.CombinedOutput()
		require.NoError(t, err, "%s", output)
		before := brkFiles(t, dir)
		for _, sealEvery := range []int64{1, 1 << 10, 8 << 10, 1 << 30} {
			work := brkWrite(t, before)
			b.dir, b.every = work, sealEvery
			for i := range 3 {
				b.room.Store(1 << 40)
				b.open()
				require.Equal(t, i == 0, b.l.Recovery().Converted)
				b.mem.books.clock = b.l.books.clock
				b.compareReads(150)
				require.NoError(t, b.l.VerifyFiles(t.Context()))
				require.NoError(t, b.l.Close())
				if i == 0 { // interrupted at any moment
					after := brkFiles(t, work)
					for range 20 {
						mixed := map[string][]byte{}
						for name, content := range before {
							mixed[name] = content
						}
						complete := b.r.IntN(2) == 0
						for name, content := range after {
							isCheckpoint := name[:3] == "che"
							if complete || !isCheckpoint && b.r.IntN(2) == 0 {
								mixed[name] = content
							}
						}
						if complete {
							for name := range before {
								if _, ok := after[name]; !ok && b.r.IntN(2) == 0 {
									delete(mixed, name)
								}
							}
						}
						b.dir = brkWrite(t, mixed)
						b.open()
						b.mem.books.clock = b.l.books.clock
						b.compareReads(30)
						require.NoError(t, b.l.Close())
					}
					b.dir = work
				}
			}
			l, err := Read(brkWrite(t, before), WithClock(func() time.Time { return b.now }))
			require.NoError(t, err)
			b.l, b.mem.books.clock = l, l.books.clock
			b.compareReads(100)
			require.NoError(t, l.Close())
		}
	}
	t.Log(b.mem.books.transferEnd(), b.mem.books.hot.expired.count, b.stat)
}

func brkFiles(t *testing.T, dir string) map[string][]byte {
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = content
	}
	return files
}

func brkWrite(t *testing.T, files map[string][]byte) string {
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir
}
