package backup

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// recorderKind is a kind of recorder.
type recorderKind struct {
	open func(t *testing.T, l ledger.Ledger, book *accounts.Book, journal string) (transfers.PacketRecorder, error)
	// inStatement shows the packets of a journal in a statement.
	inStatement func(journal string) []accounts.StatementOption
}

// singly records single packets. Each fulfill that a recorder finds in the journal must be booked.
var singly = recorderKind{
	open: func(t *testing.T, l ledger.Ledger, book *accounts.Book, journal string) (transfers.PacketRecorder, error) {
		t.Helper()
		return transfers.NewRecorder(l, book, transfers.Config{JournalFolder: journal, Events: transfers.Events{Replayed: func(list []transfers.Result) {
			for _, r := range list {
				assert.NoError(t, r.Err)
			}
		}}})
	},
	inStatement: func(string) []accounts.StatementOption { return nil },
}

// inRounds records in rounds.
var inRounds = recorderKind{
	open: func(t *testing.T, l ledger.Ledger, book *accounts.Book, journal string) (transfers.PacketRecorder, error) {
		t.Helper()
		return aggregate.NewRecorder(t.Context(), l, book, aggregate.Config{JournalFolder: journal, RoundInterval: 2 * time.Millisecond})
	},
	inStatement: func(journal string) []accounts.StatementOption {
		return []accounts.StatementOption{accounts.WithJournals(journal)}
	},
}

// running is a connector that has its ledger and its journal open.
type running struct {
	connector

	kind       recorderKind
	embedded   *embedded.Ledger
	book       *accounts.Book
	alice, bob accounts.PeerAccount
	recorder   transfers.PacketRecorder
}

// start opens a connector's folders.
func (c connector) start(t *testing.T, kind recorderKind) *running {
	t.Helper()
	return c.startWithLine(t, kind, 1<<40)
}

// startWithLine is start for a ledger in which alice has another credit line.
func (c connector) startWithLine(t *testing.T, kind recorderKind, line uint64) *running {
	t.Helper()
	l, err := embedded.Open(c.ledger)
	require.NoError(t, err)
	r := &running{connector: c, kind: kind, embedded: l}
	r.book, err = accounts.NewBook(l, accounts.Config{Namespace: "test", Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := r.book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(line)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	r.alice, r.bob = peers[0], peers[1]
	r.recorder, err = kind.open(t, l, r.book, c.journal)
	require.NoError(t, err)
	return r
}

// newRunning starts a connector with new folders.
func newRunning(t *testing.T, kind recorderKind) *running {
	t.Helper()
	dir := t.TempDir()
	return connector{filepath.Join(dir, "ledger"), filepath.Join(dir, "journal"), filepath.Join(dir, "backups")}.start(t, kind)
}

// stop closes the recorder and the ledger.
func (r *running) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, r.recorder.Close(t.Context()))
	require.NoError(t, r.embedded.Close())
}

// restart closes the recorder and opens it again.
func (r *running) restart(t *testing.T) {
	t.Helper()
	require.NoError(t, r.recorder.Close(t.Context()))
	var err error
	r.recorder, err = r.kind.open(t, r.embedded, r.book, r.journal)
	require.NoError(t, err)
}

// load is what the callers of a recorder know.
type load struct {
	mu       sync.Mutex
	amounts  map[ledger.ID]uint64 // of fulfills that were handed over
	promised []ledger.ID          // fulfills that were on disk
}

func newLoad() *load { return &load{amounts: map[ledger.ID]uint64{}} }

func (u *load) listPromised() []ledger.ID {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.promised[:len(u.promised):len(u.promised)]
}

func (u *load) amountOf(id ledger.ID) (uint64, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	amount, known := u.amounts[id]
	return amount, known
}

// recordPacket prepares a packet, and fulfills or rejects it.
func (u *load) recordPacket(t *testing.T, r *running, amount uint64, isFulfilled bool) {
	t.Helper()
	held, err := r.recorder.Prepare(t.Context(), transfers.Packet{From: r.alice, To: r.bob, In: amount, Out: amount, Expiry: time.Now().Add(50 * time.Second)})
	if !assert.NoError(t, err) {
		return
	}
	if !isFulfilled {
		_, err := r.recorder.Reject(t.Context(), held.Packet)
		assert.NoError(t, err)
		return
	}
	id := held.Packet.ID
	u.mu.Lock()
	u.amounts[id] = amount
	u.mu.Unlock()
	future, err := r.recorder.Submit(t.Context(), transfers.FulfillOp(held.Packet))
	if !assert.NoError(t, err) || !assert.NoError(t, future.Journaled(t.Context())) {
		return
	}
	u.mu.Lock()
	u.promised = append(u.promised, id)
	u.mu.Unlock()
	assert.NoError(t, future.Wait(t.Context()).Err)
}

// requireBooked restores a backup and opens a recorder with it, as after the loss of the connector's disk.
// Each of the fulfills must be booked once, and nothing that was not handed over. It returns the number of booked
// packets.
func (u *load) requireBooked(t *testing.T, b Backup, kind recorderKind, fulfills []ledger.ID) int {
	t.Helper()
	dir := t.TempDir()
	c := connector{filepath.Join(dir, "ledger"), filepath.Join(dir, "journal"), ""}
	require.NoError(t, b.Restore(t.Context(), c.ledger, nil))
	require.NoError(t, b.RestoreJournal(t.Context(), c.journal))
	r := c.start(t, kind)
	require.NoError(t, r.recorder.Flush(t.Context()))
	require.NoError(t, r.recorder.Close(t.Context()))
	defer func() { require.NoError(t, r.embedded.Close()) }()
	booked, sum := map[ledger.ID]bool{}, uint64(0)
	statement, err := r.book.Statement(t.Context(), r.bob, time.Time{}, time.Time{}, kind.inStatement(c.journal)...)
	require.NoError(t, err)
	for entry, err := range statement.Entries(t.Context()) {
		require.NoError(t, err)
		if entry.Kind == accounts.EntryHold || entry.Kind == accounts.EntryCreditLine {
			continue
		}
		amount, known := u.amountOf(entry.Packet)
		require.True(t, known, "%+v", entry)
		require.Equal(t, amount, entry.Amount.Uint64())
		require.False(t, booked[entry.Packet], "%v is booked twice", entry.Packet)
		booked[entry.Packet] = true
		sum += amount
	}
	for _, id := range fulfills {
		require.True(t, booked[id], "%v was on disk before the backup, and is not booked", id)
	}
	balance, err := r.book.Balance(t.Context(), r.bob)
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(sum), balance.Payable)
	balance, err = r.book.Balance(t.Context(), r.alice)
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(sum), balance.Receivable)
	_, err = r.book.TrialBalance(t.Context(), usd)
	require.NoError(t, err)
	return len(booked)
}

// requireBackupsUnderLoad makes many backups while callers fulfill packets, and opens each one.
func requireBackupsUnderLoad(t *testing.T, kind recorderKind) {
	t.Helper()
	// Callers without a bound write faster than a slow machine copies.
	const backups, callers, packetsEach = 8, 16, 150
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r, u := newRunning(t, kind), newLoad()
	permits, done := make(chan struct{}, backups*packetsEach), make(chan struct{}, backups*packetsEach)
	var work sync.WaitGroup
	for n := range uint64(callers) {
		random := rand.New(rand.NewPCG(seed, n))
		work.Go(func() {
			for range permits {
				u.recordPacket(t, r, 1+random.Uint64N(1000), random.IntN(7) > 0)
				done <- struct{}{}
			}
		})
	}
	waitFor := func(packets int) {
		for range packets {
			<-done
		}
	}
	more, attempts := 0, 0
	for range backups {
		for range packetsEach {
			permits <- struct{}{}
		}
		waitFor(50)
		before := u.listPromised()
		b, n, err := r.createBetween(t.Context(), func(attempt int) {
			if attempt == 1 {
				waitFor(20)
			}
		})
		require.NoError(t, err)
		attempts += n
		more += u.requireBooked(t, b, kind, before) - len(before)
		waitFor(packetsEach - 50 - 20)
	}
	close(permits)
	work.Wait()
	t.Logf("%d packets, %d of them fulfilled between the start of a backup and its moment; %d backups in %d attempts", backups*packetsEach, more, backups, attempts)
	require.Greater(t, more, backups, "backups were not made under load")
	r.stop(t)
	u.requireBooked(t, node{}.createBackup(t, r.makeOptions()), kind, u.listPromised())
}

// A connector is backed up while it records single packets. No promised fulfill is lost or booked twice.
func TestRunningRecorder(t *testing.T) {
	t.Parallel()
	requireBackupsUnderLoad(t, singly)
}

// A connector is backed up while it records in rounds. No copy of the journal is older than its ledger.
func TestRunningRounds(t *testing.T) {
	t.Parallel()
	requireBackupsUnderLoad(t, inRounds)
}

// createBetween makes a backup, and calls between after the journal's moment and before the ledger's, with the number of
// the attempt. It returns the number of attempts.
func (r *running) createBetween(ctx context.Context, between func(attempt int)) (b Backup, attempts int, err error) {
	o := r.makeOptions()
	o.onStep = func(name string) error {
		if name == "journal opened" {
			attempts++
			between(attempts)
		}
		return nil
	}
	b, err = Create(ctx, o)
	return b, attempts, err
}

// A round that is written between the two moments makes the journal's copy old. It is taken again.
func TestRoundBetweenTheMoments(t *testing.T) {
	t.Parallel()
	r, u := newRunning(t, inRounds), newLoad()
	u.recordPacket(t, r, 1, true)
	require.NoError(t, r.recorder.Flush(t.Context()))
	b, attempts, err := r.createBetween(t.Context(), func(attempt int) {
		if attempt < 3 {
			u.recordPacket(t, r, 1, true)
			require.NoError(t, r.recorder.Flush(t.Context()))
		}
	})
	require.NoError(t, err)
	require.GreaterOrEqual(t, attempts, 3)
	require.Equal(t, 3, u.requireBooked(t, b, inRounds, u.listPromised()))
	r.stop(t)
}

// A recorder that writes a round between the two moments each time has no backup, and the operator learns what to do.
func TestRoundsBetweenAllMoments(t *testing.T) {
	t.Parallel()
	r, u := newRunning(t, inRounds), newLoad()
	_, attempts, err := r.createBetween(t.Context(), func(int) {
		u.recordPacket(t, r, 1, true)
		require.NoError(t, r.recorder.Flush(t.Context()))
	})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, r.journal+": its program wrote a round during 100 of them: repeat the backup when fewer packets come")
	require.NotContains(t, err.Error(), "refusal")
	require.ErrorContains(t, err, "--stop and --start")
	require.Equal(t, maxTries, attempts)
	require.Empty(t, listLeftovers(t, r.backups))
	r.stop(t)
}

// A fulfill is on disk before the journal's moment, and refused between the moments. Its caller may then book the money
// under another id, which the ledger's copy would have. So the journal's copy must know the refusal.
func TestRefusalBetweenTheMoments(t *testing.T) {
	t.Parallel()
	r, u := newRunning(t, singly), newLoad()
	u.recordPacket(t, r, 1, true)
	unknown := transfers.Packet{ID: ledger.NewID(1<<8, 1), From: r.alice, To: r.bob, In: 1, Out: 1, Expiry: time.Now().Add(50 * time.Second)}
	b, attempts, err := r.createBetween(t.Context(), func(attempt int) {
		if attempt == 1 {
			_, err := r.recorder.Fulfill(t.Context(), unknown)
			require.ErrorIs(t, err, transfers.ErrUnknownPacket)
		}
	})
	require.NoError(t, err)
	require.Equal(t, 2, attempts)
	require.Equal(t, 1, u.requireBooked(t, b, singly, u.listPromised()))
	r.stop(t)
}

// A fulfill between the moments, which the ledger has answered, is in the ledger's copy. Nothing is taken again.
func TestFulfillBetweenTheMoments(t *testing.T) {
	t.Parallel()
	r, u := newRunning(t, singly), newLoad()
	b, attempts, err := r.createBetween(t.Context(), func(int) { u.recordPacket(t, r, 5, true) })
	require.NoError(t, err)
	require.Equal(t, 1, attempts)
	require.Zero(t, b.Manifest.Journal.Waiting)
	require.Equal(t, 1, u.requireBooked(t, b, singly, u.listPromised()))
	r.stop(t)
}

// A recorder that is closed and opened between the moments has written a checkpoint: what was behind the journal's copy
// cannot be read any more.
func TestRestartBetweenTheMoments(t *testing.T) {
	t.Parallel()
	r, u := newRunning(t, singly), newLoad()
	b, attempts, err := r.createBetween(t.Context(), func(attempt int) {
		u.recordPacket(t, r, 1, true)
		if attempt == 1 {
			r.restart(t)
		}
	})
	require.NoError(t, err)
	require.Equal(t, 2, attempts)
	require.Equal(t, 2, u.requireBooked(t, b, singly, u.listPromised()))
	r.stop(t)
}
