package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A payment is announced, listed with its age, and received or failed under its key or its id.
func TestAnnouncedPayments(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	announce := []string{"settle", "announce", "alice@USD", "40", "--key", "tx 1"}
	preview := s.readChange(t, announce...)
	require.Equal(t, "The payment is shown, and changes no balance until it is received.", preview.Effect)
	require.False(t, preview.Written)
	require.Empty(t, readRows[announcementRow](t, s, "settle", "announced"))
	require.Equal(t, "No payment is announced.\n", s.runOK(t, "settle", "announced"))
	require.Contains(t, s.runOK(t, announce...), "Would announce a payment from alice in USD/2, 40.00, key tx 1.")

	done := s.readChange(t, append(announce, "--yes")...)
	require.True(t, done.Written)
	require.False(t, done.Already)
	again := s.readChange(t, append(announce, "--yes")...)
	require.True(t, again.Already)
	require.Equal(t, done.Transfer, again.Transfer)
	s.runOK(t, "settle", "announce", "bob@USD", "7.5", "--key", "tx 1", "--yes")
	balance := readRows[peerRow](t, s, "balances", "alice@USD")[0]
	require.Equal(t, []string{"40.00", "0.00", "0.00", "0.00", "100.00"}, []string{
		balance.Announced, balance.Position, balance.Prepaid, balance.HeldOut, balance.Headroom,
	})
	open := readRows[announcementRow](t, s, "settle", "announced")
	require.Len(t, open, 2)
	require.Equal(t, []string{"alice", "USD/2", done.Transfer, "40.00"}, []string{open[0].Peer, open[0].Asset, open[0].Announcement, open[0].Amount})
	age, err := time.ParseDuration(open[0].Age)
	require.NoError(t, err)
	require.Less(t, age.Abs(), time.Minute)
	require.Equal(t, "7.50", open[1].Amount)
	require.Contains(t, s.runOK(t, "settle", "announced"), done.Transfer)
	require.Equal(t, open[1:], readRows[announcementRow](t, s, "settle", "announced", "bob@USD"))

	require.Contains(t, s.runOK(t, "peers", "close", "alice@USD"), "It will be refused while payments of 40.00 USD are announced")
	require.Contains(t, s.runOK(t, "peers", "close", "alice@USD", "--force", "--reason", "1"), "Would close")
	got := s.runCommand(t, "peers", "close", "alice@USD", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "payments of 40.00 USD are announced")

	s.runOK(t, "settle", "received", "alice@USD", "39.99", "--key", "tx 1", "--yes")
	require.Equal(t, []string{"39.99", "39.99", "0.00"}, s.readFigures(t, "alice@USD"))
	late := s.readChange(t, append(announce, "--yes")...)
	require.True(t, late.Already)
	require.Equal(t, "The payment is known already: received.", late.Note)
	got = s.runCommand(t, "settle", "failed", "alice@USD", "--key", "tx 1", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "was received")

	failed := []string{"settle", "failed", "bob@USD", "--announcement", open[1].Announcement}
	require.Equal(t, "The announcement of 7.50 USD is closed. Payments of 7.50 USD are announced in all. Nothing is booked.", s.readChange(t, failed...).Effect)
	require.Len(t, readRows[announcementRow](t, s, "settle", "announced"), 1)
	done = s.readChange(t, append(failed, "--yes")...)
	require.Equal(t, []string{"7.50", open[1].Announcement}, []string{done.Amount, done.Transfer})
	require.True(t, s.readChange(t, "settle", "failed", "bob@USD", "--key", "tx 1", "--yes").Already)
	require.Empty(t, readRows[announcementRow](t, s, "settle", "announced"))
	s.runOK(t, "settle", "received", "bob@USD", "7.5", "--key", "tx 1", "--yes")
	require.Equal(t, []string{"7.50", "7.50", "0.00"}, s.readFigures(t, "bob@USD"))

	for _, wrong := range [][]string{
		{"settle", "failed", "bob@USD", "--yes"},
		{"settle", "failed", "bob@USD", "--key", "a", "--announcement", open[1].Announcement, "--yes"},
		{"settle", "failed", "bob@USD", "--announcement", "x", "--yes"},
		{"settle", "announce", "bob@USD", "0", "--key", "a", "--yes"},
	} {
		require.Equal(t, statusUsage, s.runCommand(t, wrong...).status, "%v", wrong)
	}
	got = s.runCommand(t, "settle", "failed", "bob@USD", "--announcement", done.Transfer[1:]+"0", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "no such announcement")
	got = s.runCommand(t, "settle", "announce", "bob@USD", "1", "--key", "a ", "--yes")
	require.Contains(t, got.errors, `Key "a " must not begin or end with white space`)
	require.NotZero(t, got.status)
}

// Previews show the ledger's knowledge of the payment, and --yes does the previewed change.
func TestPreviewsKnowThePayment(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	announce, other := "settle announce bob@USD 7.5 --key k", "settle announce bob@USD 8 --key k"
	failed, received := "settle failed bob@USD --key k", "settle received bob@USD 7.5 --key k --yes"
	previews := func(effects map[string]string) {
		t.Helper()
		for line, effect := range effects {
			got := s.readChange(t, strings.Fields(line)...)
			require.False(t, got.Written)
			require.Contains(t, got.Effect, effect, line)
			require.Contains(t, s.runOK(t, strings.Fields(line)...), effect, line)
		}
	}
	does := func(line string) change {
		t.Helper()
		return s.readChange(t, strings.Fields(line+" --yes")...)
	}
	refuses := func(line, says string) {
		t.Helper()
		got := s.runCommand(t, strings.Fields(line+" --yes")...)
		require.Equal(t, statusFailed, got.status, line)
		require.Contains(t, got.errors, says, line)
	}
	none := "settle failed bob@USD --announcement abc"
	previews(map[string]string{
		announce: "The payment is shown, and changes no balance until it is received.",
		failed:   "Nothing is announced under this key. A later announcement will be answered with: failed. Payments of 0.00 USD are announced in all.",
		none:     "It will be refused: there is no such announcement of the peer. ",
	})
	refuses(none, "no such announcement")

	id := does(announce).Transfer
	byID := "settle failed bob@USD --announcement " + id
	previews(map[string]string{
		announce:                                 "It is announced already: nothing will change.",
		other:                                    "It will be refused: 7.50 USD is announced under this key.",
		failed:                                   "The announcement of 7.50 USD is closed. Payments of 7.50 USD are announced in all. Nothing is booked.",
		byID:                                     "The announcement of 7.50 USD is closed. ",
		strings.Replace(byID, "bob", "alice", 1): "It will be refused: there is no such announcement of the peer. ",
	})
	require.True(t, does(announce).Already)
	refuses(other, "7.50 USD is announced")

	require.False(t, does(failed).Already)
	previews(map[string]string{
		announce: "Nothing will be announced: the payment is known already, as failed.",
		other:    "Nothing will be announced: the payment is known already, as failed.",
		failed:   "It has failed already: nothing will change.",
		byID:     "It has failed already: nothing will change.",
	})
	require.True(t, does(announce).Already)
	require.True(t, does(failed).Already)
	require.True(t, does(byID).Already)
	require.Empty(t, readRows[announcementRow](t, s, "settle", "announced"))

	s.runOK(t, strings.Fields(received)...)
	previews(map[string]string{
		announce: "Nothing will be announced: the payment is known already, as received.",
		failed:   "It will be refused: the payment was received.",
		byID:     "It will be refused: the payment was received.",
	})
	require.True(t, does(announce).Already)
	refuses(failed, "was received")
	refuses(byID, "was received")
	for _, wrong := range []string{"settle announce bob@USD 1 --key", "settle failed bob@USD --key"} {
		got := s.runCommand(t, append(strings.Fields(wrong), "a ")...)
		require.Equal(t, s.runCommand(t, append(strings.Fields(wrong), "a ", "--yes")...).status, got.status)
		require.Contains(t, got.errors, `Key "a " must not begin or end with white space`, "the preview says so as well")
	}
}
