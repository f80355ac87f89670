package transfers_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/transfers"
)

// workers is how many goroutines send packets.
const workers = 600

// run lets the storm rage, and settles what it has left. The weather is made in the
// test's goroutine, until the storm is over; it leaves all at peace.
func (s *soak) run(weather func(storm context.Context)) {
	s.t.Helper()
	storm, over := context.WithTimeout(s.life, s.length)
	defer over()
	all := make([]*worker, workers)
	var working, helping, clerking, collecting sync.WaitGroup
	for i := range all {
		w := &worker{soak: s, random: rand.New(rand.NewPCG(s.seed, uint64(i)+100)), model: newModel(s.own, s.book), counts: make(counts)}
		all[i] = w
		working.Go(func() { w.run(s.life, storm) })
	}
	scribe := &clerk{soak: s, model: newModel(s.own, s.book), asked: make(counts)}
	clerking.Go(func() { scribe.run(s.life) })
	reader := &collector{soak: s, model: newModel(s.own, s.book)}
	collecting.Go(func() { reader.run(s.life) })
	helping.Go(func() { s.reopen(storm) })
	helping.Go(func() { s.measure(storm) })

	began := time.Now()
	weather(storm)
	helping.Wait()
	working.Wait()
	s.meter.end(s.answers.Load(), time.Since(began))
	s.settle()
	for _, w := range all {
		for _, p := range w.promised {
			w.ask(s.life, question{op: transfers.FulfillOp(p), booked: true})
		}
	}
	close(s.questions)
	clerking.Wait()
	close(s.lates)
	collecting.Wait()

	s.total = newModel(s.own, s.book)
	for _, w := range all {
		s.total.add(w.model)
		s.told.add(w.counts)
		s.checked = append(s.checked, w.samples...)
	}
	s.total.add(scribe.model)
	s.total.add(reader.model)
	s.told.log(s.t, "answers to callers")
	scribe.asked.log(s.t, "asked again")
	s.t.Logf("late: %d charged whole, %d in part, %d not at all, %d from ourselves", reader.whole, reader.part, reader.none, reader.ourself)
}

// settle closes the recorders of the storm, and has what is left in the journal
// recorded by a fresh one. The clerk goes on with another.
func (s *soak) settle() {
	s.t.Helper()
	require.NoError(s.t, s.plain.Close(s.life))
	require.NoError(s.t, s.kept.Load().Close(s.life))
	fresh, err := s.newRecorder(transfers.Config{Journal: s.journal})
	require.NoError(s.t, err)
	require.NoError(s.t, s.asking.Swap(fresh).Close(s.life))
	require.NoError(s.t, fresh.Flush(s.life))
}

// reopen closes the recorder with the journal, mostly before it is through, and opens
// another one on the same folder.
func (s *soak) reopen(storm context.Context) {
	random := rand.New(rand.NewPCG(s.seed, 2))
	for pass(storm, between(random, s.scaled(200*time.Millisecond), s.scaled(1500*time.Millisecond))) {
		hurry, cancel := context.WithTimeout(s.life, between(random, 0, 100*time.Millisecond))
		err := s.kept.Load().Close(hurry)
		cancel()
		s.strike("recorder closed")
		var left *transfers.CloseError
		switch {
		case errors.As(err, &left):
			s.mu.Lock()
			s.faults["operations left by a closed recorder, unknown"] += len(left.Unknown)
			s.faults["operations left by a closed recorder, unsent"] += len(left.Unsent)
			s.mu.Unlock()
		case err != nil:
			s.fail("close: %v", err)
		}
		fresh, err := s.newRecorder(transfers.Config{Journal: s.journal})
		if err != nil {
			s.fail("open again: %v", err)
			return
		}
		s.kept.Store(fresh)
	}
}
