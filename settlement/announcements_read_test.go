package settlement_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// An operator finds open announcements among any number of later ones, and ends them by id.
func TestOpenAnnouncements(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bob")
	bob := w.peers[1]
	e := w.engineOn(narrowQueries{w.ledger}, settlement.Config{})
	announce := func(a accounts.PeerAccount, key string, n uint64) settlement.Announcement {
		t.Helper()
		got, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: a, Key: key, Amount: units(n)})
		require.NoError(t, err)
		return got
	}
	old := announce(w.alice, "old", 5)
	for i := range 400 {
		key := fmt.Sprint("key ", i)
		announce(w.alice, key, 2)
		if i%2 == 0 {
			w.recordIncoming(e, w.alice, key, 2)
			continue
		}
		_, err := e.Fail(t.Context(), w.alice, key)
		require.NoError(t, err)
	}
	young, others := announce(w.alice, "young", 7), announce(bob, "young", 9)
	open, err := e.Announcements(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Equal(t, []settlement.Announcement{old, young, others}, open)

	for _, none := range []ledger.ID{ledger.NewID(1, 77), others.Transfer, w.bookPacketRow(bob)} {
		_, err = e.FailAnnouncement(t.Context(), w.alice, none)
		require.ErrorIs(t, err, settlement.ErrNoAnnouncement)
		require.ErrorContains(t, err, none.String())
	}
	for _, already := range []bool{false, true} {
		got, err := e.FailAnnouncement(t.Context(), w.alice, old.Transfer)
		require.NoError(t, err)
		require.Equal(t, already, got.AlreadyAnnounced)
		require.Equal(t, settlement.AnnouncementFailed, got.State)
	}
	c := &countingLedger{Ledger: w.ledger}
	open, err = w.engineOn(narrowQueries{c}, settlement.Config{}).Announcements(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []settlement.Announcement{young}, open)
	require.Equal(t, int64(1), c.queries.Load(), "those that are open are young: the newest page has them")
	w.recordIncoming(e, w.alice, "old", 5)
	_, err = e.FailAnnouncement(t.Context(), w.alice, old.Transfer)
	require.ErrorIs(t, err, settlement.ErrAlreadyReceived)
	w.recordIncoming(e, w.alice, "young", 7)
	_, err = e.FailAnnouncement(t.Context(), w.alice, young.Transfer)
	require.ErrorIs(t, err, settlement.ErrAlreadyReceived)
	open, err = e.Announcements(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Equal(t, []settlement.Announcement{others}, open)
	_, err = e.Fail(t.Context(), bob, "young")
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	_, err = e.Announcements(t.Context(), w.peers...)
	require.ErrorIs(t, err, settlement.ErrEngineClosed)
	_, err = e.Fail(t.Context(), bob, "young")
	require.ErrorIs(t, err, settlement.ErrEngineClosed)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// bookPacketRow writes a row that is no announcement.
func (w *world) bookPacketRow(a accounts.PeerAccount) ledger.ID {
	w.t.Helper()
	return w.writePacket(w.liquidity(), w.book.PeerIDs(a).Peer, 1, 0)
}

// FindPayment and FindAnnouncement write nothing.
func TestFindPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bob")
	writes := 0
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if c.creates {
			writes++
		}
		return noFault
	}}
	e, finder := w.engine(settlement.Config{}), w.engineOn(l, settlement.Config{Instance: "finder"})
	_, err := finder.FindPayment(t.Context(), w.alice, "k")
	require.ErrorIs(t, err, settlement.ErrNoAnnouncement)
	_, err = finder.FindPayment(t.Context(), w.alice, "k ")
	require.ErrorIs(t, err, accounts.ErrInvalid)
	placed, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(50)})
	require.NoError(t, err)
	placed.AlreadyAnnounced = true
	for _, state := range []settlement.AnnouncementState{settlement.AnnouncementOpen, settlement.AnnouncementFailed, settlement.AnnouncementReceived} {
		switch placed.State = state; state {
		case settlement.AnnouncementFailed:
			_, err = e.Fail(t.Context(), w.alice, "k")
			require.NoError(t, err)
		case settlement.AnnouncementReceived:
			w.recordIncoming(e, w.alice, "k", 49)
		case settlement.AnnouncementOpen:
		}
		found, err := finder.FindPayment(t.Context(), w.alice, "k")
		require.NoError(t, err)
		require.Equal(t, placed, found)
		found, err = finder.FindAnnouncement(t.Context(), w.alice, placed.Transfer)
		require.NoError(t, err)
		require.Equal(t, placed, found)
	}
	w.recordIncoming(e, w.alice, "never announced", 3)
	found, err := finder.FindPayment(t.Context(), w.alice, "never announced")
	require.NoError(t, err)
	require.Equal(t, []any{settlement.AnnouncementReceived, units(3)}, []any{found.State, found.Amount})
	for _, a := range []ledger.ID{found.Transfer, ledger.NewID(1, 77)} {
		_, err = finder.FindAnnouncement(t.Context(), w.alice, a)
		require.ErrorIs(t, err, settlement.ErrNoAnnouncement)
	}
	_, err = finder.FindAnnouncement(t.Context(), w.peers[1], placed.Transfer)
	require.ErrorIs(t, err, settlement.ErrNoAnnouncement, "it is another peer's")
	_, err = finder.FindPayment(t.Context(), w.peers[1], "k")
	require.ErrorIs(t, err, settlement.ErrNoAnnouncement)
	require.Zero(t, writes)
	l.fault = func(call) fault { return fault{before: errRail} }
	_, err = finder.FindPayment(t.Context(), w.alice, "k")
	require.ErrorIs(t, err, errRail)
}

// oneRowPages answers queries of one row only.
type oneRowPages struct{ ledger.Ledger }

func (l oneRowPages) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if filter.Limit > 1 {
		return nil, ledger.ErrTooMuchData
	}
	return l.Ledger.GetAccountTransfers(ctx, filter)
}

// failingRows answers no query, and records the smallest limit.
type failingRows struct {
	ledger.Ledger
	least uint32
}

func (l *failingRows) GetAccountTransfers(_ context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	l.least = min(l.least, filter.Limit)
	return nil, ledger.ErrTooMuchData
}

// The smallest query of a ledger that finds every answer too large has one row.
func TestAnnouncementsOfALedgerWithoutAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.engine(settlement.Config{}).Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(5)})
	require.NoError(t, err)
	l := &failingRows{Ledger: w.ledger, least: ledger.QueryMax}
	_, err = w.engineOn(l, settlement.Config{Instance: "other"}).Announcements(t.Context(), w.alice)
	require.ErrorIs(t, err, ledger.ErrTooMuchData)
	require.Equal(t, uint32(1), l.least)
}

// While announcements are placed and ended, the list has the lasting ones: also if new announcements add up to the same
// sum, or change it between two requests.
func TestOpenAnnouncementsWhileOthersEnd(t *testing.T) {
	t.Parallel()
	for _, changes := range []int{1, 3, 1000} {
		w := newWorld(t)
		e := w.engine(settlement.Config{})
		place := func(key string) {
			_, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: key, Amount: units(5)})
			require.NoError(t, err)
		}
		place("stays")
		n, placed := 0, 0
		l := &faultyLedger{Ledger: w.ledger, fault: func(call) fault {
			if n++; n > 1 && placed < changes { // after the first query
				placed++
				place(fmt.Sprint("key ", placed))
				if placed > 2 {
					_, err := e.Fail(t.Context(), w.alice, fmt.Sprint("key ", placed-2))
					require.NoError(t, err)
				}
			}
			return noFault
		}}
		open, err := w.engineOn(oneRowPages{l}, settlement.Config{}).Announcements(t.Context(), w.alice)
		require.NoError(t, err)
		all, err := e.Announcements(t.Context(), w.alice)
		require.NoError(t, err)
		require.Equal(t, all[0], open[0], "the one that stays, with %d changes", changes)
		if changes < 10 {
			require.Equal(t, all, open)
		}
	}
}
