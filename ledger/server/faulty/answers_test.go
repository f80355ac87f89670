package faulty_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger/server/faulty"
)

func TestRepeatedAnswer(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	s.Inject(faulty.Fault{Do: faulty.RepeatAnswer()})
	c := openSession(t, s, 1)
	first, _ := c.Ask(accountBody(1))
	second, _ := c.Read()
	require.Equal(t, first, second)
	c.RequireSilence(c.Next.Client)
}

// Other messages pass a delayed answer. The delay is no time limit of the test: it ends when the
// server closes, at the latest.
func TestDelayedAnswer(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	s.Inject(faulty.Fault{Do: faulty.DelayAnswer(time.Millisecond)})
	s.Inject(faulty.Fault{Do: faulty.DelayAnswer(time.Hour)})
	c := openSession(t, s, 1)
	message := c.SendNext(accountBody(1))
	h, _ := c.Read()
	require.Equal(t, [16]byte(message[:16]), vsr.DecodeReply(&h).RequestChecksum)
	c.Write(message)
	c.RequireSilence(c.Next.Client) // an hour early
	again, _ := c.Ask(accountBody(1))
	require.Equal(t, h, again)
}

// A held answer is sent when the test says so. Other messages pass the answer.
func TestHeldAnswer(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	release := make(chan struct{})
	held := s.Inject(faulty.Fault{Do: faulty.HoldAnswer(release)})
	s.Inject(faulty.Fault{Do: faulty.HoldAnswer(nil)}) // until the server closes
	c := openSession(t, s, 1)
	message := c.SendNext(accountBody(1))
	<-held.Done()
	c.RequireSilence(c.Next.Client)
	close(release)
	h, _ := c.Read()
	require.Equal(t, [16]byte(message[:16]), vsr.DecodeReply(&h).RequestChecksum)
	c.Write(message)
	c.RequireSilence(c.Next.Client)
}

// Stale answers come before and after an answer.
func TestStaleAnswers(t *testing.T) {
	t.Parallel()
	s := startFaulty(t, faulty.Config{})
	s.Inject(faulty.Fault{Times: 2, Do: faulty.StaleAnswers()})
	c := openSession(t, s, 1)
	first := c.SendNext(accountBody(1))
	h, _ := c.Read()
	again, _ := c.Read()
	require.Equal(t, h, again)
	c.Next.Number++
	c.Next.Parent = vsr.DecodeReply(&h).Context
	second := c.SendNext(accountBody(2))
	for _, asked := range [][]byte{first, second, second, first} {
		h, _ := c.Read()
		require.Equal(t, [16]byte(asked[:16]), vsr.DecodeReply(&h).RequestChecksum)
	}
	c.RequireSilence(c.Next.Client)
}
