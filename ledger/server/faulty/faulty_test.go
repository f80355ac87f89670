package faulty_test

import (
	"context"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
	"github.com/peerledger/peerledger/ledger/server/faulty"
)

func startFaulty(t *testing.T, cfg faulty.Config) *faulty.Server {
	t.Helper()
	cfg.Server.Cluster = vsrtest.Cluster
	s, err := faulty.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// openSession registers a client, whose requests create accounts.
func openSession(t *testing.T, s *faulty.Server, client uint64) *vsrtest.Session {
	t.Helper()
	return vsrtest.OpenSession(t, s.Addresses()[0], client, uint8(server.CreateAccounts))
}

// accountBody is the body of a request that creates an account.
func accountBody(id uint64) []byte {
	body := unsafecast.Bytes([]ledger.Account{{ID: ledger.NewID(id, 0), Ledger: 1, Code: 1}})
	trailer := make([]byte, 128)
	for i := range trailer {
		trailer[i] = 0xFF
	}
	copy(trailer[124:], []byte{1, 0, 1, 0})
	return append(body, trailer...)
}

// hasAccount reports whether the account is in the ledger.
func hasAccount(t *testing.T, s *faulty.Server, id uint64) bool {
	t.Helper()
	found, err := s.Ledger().LookupAccounts(t.Context(), []ledger.ID{ledger.NewID(id, 0)})
	require.NoError(t, err)
	return len(found) == 1
}

// reconnect connects again with the session of a client.
func reconnect(t *testing.T, s *faulty.Server, old *vsrtest.Session) *vsrtest.Session {
	t.Helper()
	return &vsrtest.Session{Client: vsrtest.Dial(t, s.Addresses()[0]), Next: old.Next}
}

// A request without an answer is sent again on the same connection, or on the next one if the
// server has ended it. The first execution gives the answer.
func TestLostRequestsAndAnswers(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		do       faulty.Action
		ends     bool // the connection
		executed bool // the request, before it is sent again
	}{
		"request dropped":          {do: faulty.DropRequest()},
		"cut before the execution": {do: faulty.CutBefore(), ends: true},
		"answer dropped":           {do: faulty.DropAnswer(), executed: true},
		"cut after the execution":  {do: faulty.CutAfter(), ends: true, executed: true},
		"answer truncated":         {do: faulty.TruncateAnswer(300), ends: true, executed: true},
		"answer truncated to none": {do: faulty.TruncateAnswer(0), ends: true, executed: true},
		"answer truncated below":   {do: faulty.TruncateAnswer(-1), ends: true, executed: true},
		"answer cut in its header": {do: faulty.TruncateAnswer(100), ends: true, executed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startFaulty(t, faulty.Config{})
			injection := s.Inject(faulty.Fault{On: faulty.Requests(server.CreateAccounts), Do: row.do})
			c := openSession(t, s, 1)
			message := c.SendNext(accountBody(1))
			<-injection.Done()
			if row.ends {
				_, err := io.Copy(io.Discard, c.Conn)
				require.NoError(t, err)
				c = reconnect(t, s, c)
			} else {
				c.RequireSilence(c.Next.Client)
			}
			require.Equal(t, row.executed, hasAccount(t, s, 1))
			c.Write(message)
			h, body := c.Read()
			require.Equal(t, [16]byte(message[:16]), vsr.DecodeReply(&h).RequestChecksum)
			results := unsafecast.Records[ledger.CreateAccountResult](body[:16])
			require.Equal(t, ledger.AccountCreated, results[0].Status)
			require.Equal(t, 1, injection.Hits())
		})
	}
}

// A truncated answer comes as far as it was cut.
func TestTruncatedAnswer(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	s.Inject(faulty.Fault{Do: faulty.TruncateAnswer(100)})
	c := openSession(t, s, 1)
	c.SendNext(accountBody(1))
	said, err := io.ReadAll(c.Conn)
	require.NoError(t, err)
	require.Len(t, said, 100)
}

// Skip and Times count the messages that On picks.
func TestWhichMessages(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	injection := s.Inject(faulty.Fault{On: faulty.Pings(), Skip: 1, Times: 2, Do: faulty.DropRequest()})
	c := openSession(t, s, 1)
	ping := vsr.Ping{Release: vsrtest.Release, Client: c.Next.Client}.Encode(vsrtest.Cluster)
	answered := 0
	for range 6 {
		c.Write(ping[:])
	}
	for range 4 {
		c.Read()
		answered++
	}
	c.RequireReply(accountBody(1))
	require.Equal(t, 4, answered)
	require.Equal(t, 2, injection.Hits())

	always := s.Inject(faulty.Fault{On: faulty.Everything(), Times: -1, Do: faulty.DropRequest()})
	for range 3 {
		c.Write(ping[:])
	}
	require.Eventually(t, func() bool { return always.Hits() == 3 }, vsrtest.Patience, time.Millisecond)
	always.Stop()
	c.RequireSilence(c.Next.Client)
	require.Equal(t, 3, always.Hits())
}

// Every reason reaches the client, which has executed nothing.
func TestEvictions(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	for reason := server.EvictionNoSession; reason <= server.EvictionSessionReleaseMismatch; reason++ {
		c := openSession(t, s, uint64(reason))
		s.Inject(faulty.Fault{Do: faulty.Evict(reason)})
		c.SendNext(accountBody(uint64(reason)))
		c.RequireEviction(reason)
		require.False(t, hasAccount(t, s, uint64(reason)))
	}
	c := openSession(t, s, 100)
	s.EvictAll()
	c.SendNext(accountBody(100))
	c.RequireEviction(server.EvictionNoSession)
}

// A stalled server is silent until it handles the messages that came meanwhile.
func TestStall(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	c := openSession(t, s, 1)
	s.Stall()
	s.Stall()
	c.SendNext(accountBody(1))
	_, _, err := c.TryRead(20 * time.Millisecond)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.False(t, hasAccount(t, s, 1))
	s.Resume()
	s.Resume()
	h, _ := c.Read()
	require.Equal(t, vsr.CommandReply, h.Command())
	s.Stall() // and is closed so
}

// What a server keeps decides what a client finds after a restart.
func TestRestart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := startFaulty(t, faulty.Config{OpenLedger: func() (ledger.Ledger, error) { return embedded.Open(folder) }})
	c := openSession(t, s, 1)
	c.RequireReply(accountBody(1))

	require.NoError(t, s.Restart(faulty.KeepSessions))
	c.RequireEnd()
	c = reconnect(t, s, c)
	c.RequireReply(accountBody(2))

	require.NoError(t, s.Restart(faulty.KeepLedger))
	c = reconnect(t, s, c)
	c.SendNext(accountBody(3))
	c.RequireEviction(server.EvictionNoSession)
	require.True(t, hasAccount(t, s, 2))

	require.NoError(t, s.Restart(faulty.KeepFolder))
	require.True(t, hasAccount(t, s, 2))
	require.False(t, hasAccount(t, s, 3))
	require.Zero(t, s.Stats().Sessions)
}

// Without a folder a restart loses the ledger.
func TestRestartInMemory(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	openSession(t, s, 1).RequireReply(accountBody(1))
	require.NoError(t, s.Restart(faulty.KeepLedger))
	require.True(t, hasAccount(t, s, 1))
	require.NoError(t, s.Restart(faulty.KeepFolder))
	require.False(t, hasAccount(t, s, 1))
}

// freeAddresses are addresses with a free port each.
func freeAddresses(n int) []string { return slices.Repeat([]string{"127.0.0.1:0"}, n) }

// All addresses have the same sessions. An address that the server has left refuses connections.
func TestAddresses(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{Addresses: freeAddresses(3)})
	c := openSession(t, s, 1)
	first := c.SendNext(accountBody(1))
	want, _ := c.Read()
	other := vsrtest.Dial(t, s.Addresses()[2])
	other.Write(first)
	got, _ := other.Read()
	require.Equal(t, want, got)

	s.Leave(0)
	s.Leave(0)
	c.RequireEnd()
	_, err := net.Dial("tcp", s.Addresses()[0])
	require.Error(t, err)
	other.RequireSilence(uint128.From64(1))
	require.NoError(t, s.Restart(faulty.KeepSessions))
	_, err = net.Dial("tcp", s.Addresses()[0])
	require.Error(t, err, "a restart does not return")
	require.NoError(t, s.Return(0))
	require.NoError(t, s.Return(0))
	c = reconnect(t, s, c)
	c.Write(first)
	got, _ = c.Read()
	require.Equal(t, want, got)
}

func TestCut(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{Addresses: freeAddresses(2)})
	clients := []*vsrtest.Client{vsrtest.Dial(t, s.Addresses()[0]), vsrtest.Dial(t, s.Addresses()[1])}
	for i, c := range clients {
		c.RequireSilence(uint128.From64(uint64(i + 1)))
	}
	s.Cut()
	for _, c := range clients {
		c.RequireEnd()
	}
	reconnect(t, s, &vsrtest.Session{}).RequireSilence(uint128.From64(1))
}

// A wrong use of a method fails at once, and changes nothing.
func TestWrongUses(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	require.PanicsWithValue(t, "faulty: Fault.Do is missing", func() { s.Inject(faulty.Fault{Times: -1}) })
	require.Panics(t, func() { s.Leave(1) })
	require.Panics(t, func() { _ = s.Return(-1) })
	c := openSession(t, s, 1)
	require.EqualError(t, s.Restart(faulty.KeepFolder+1), "faulty: Restart: there is no Kept 3")
	c.RequireReply(accountBody(1))
}

func TestWrongConfigs(t *testing.T) {
	t.Parallel()
	_, err := faulty.Start(faulty.Config{Addresses: make([]string, 7)})
	require.ErrorContains(t, err, "Addresses")
	_, err = faulty.Start(faulty.Config{Server: server.Config{OnRequest: func(context.Context, server.Message) error { return nil }}})
	require.ErrorContains(t, err, "must be nil")
	_, err = faulty.Start(faulty.Config{Server: server.Config{Release: "new"}})
	require.ErrorIs(t, err, server.ErrConfig)
	_, err = faulty.Start(faulty.Config{OpenLedger: func() (ledger.Ledger, error) { return nil, io.ErrUnexpectedEOF }})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
