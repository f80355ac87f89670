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

// workerCount is how many goroutines send packets.
const workerCount = 600

// runStorm lets the storm rage, and settles what it has left. The weather is made in the
// test's goroutine, until the storm is over; it leaves all at peace.
func (s *soak) runStorm(weather func(storm context.Context)) {
	s.t.Helper()
	storm, over := context.WithTimeout(s.ctx, s.length)
	defer over()
	all := make([]*worker, workerCount)
	var working, helping, clerking, collecting sync.WaitGroup
	for i := range all {
		w := &worker{soak: s, random: rand.New(rand.NewPCG(s.seed, uint64(i)+100)), model: newModel(s.assetIDs, s.book), counts: make(counts)}
		all[i] = w
		working.Go(func() { w.sendPackets(s.ctx, storm) })
	}
	scribe := &retrier{soak: s, model: newModel(s.assetIDs, s.book), counts: make(counts)}
	clerking.Go(func() { scribe.answerQuestions(s.ctx) })
	reader := &lateReader{soak: s, model: newModel(s.assetIDs, s.book)}
	collecting.Go(func() { reader.bookLatePackets(s.ctx) })
	helping.Go(func() { s.reopenRecorders(storm) })
	helping.Go(func() { s.measureMemory(storm) })

	began := time.Now()
	weather(storm)
	helping.Wait()
	working.Wait()
	s.meter.recordEnd(s.answerCount.Load(), time.Since(began))
	s.settleJournal()
	for _, w := range all {
		for _, p := range w.promisedSample {
			w.askQuestion(s.ctx, question{op: transfers.FulfillOp(p), mustBeBooked: true})
		}
	}
	close(s.questions)
	clerking.Wait()
	close(s.latePackets)
	collecting.Wait()

	s.total = newModel(s.assetIDs, s.book)
	for _, w := range all {
		s.total.addModel(w.model)
		s.resultCounts.addCounts(w.counts)
		s.sampledResults = append(s.sampledResults, w.samples...)
	}
	s.total.addModel(scribe.model)
	s.total.addModel(reader.model)
	s.resultCounts.logCounts(s.t, "answers to callers")
	scribe.counts.logCounts(s.t, "asked again")
	s.t.Logf("late: %d charged whole, %d in part, %d not at all, %d from ourselves", reader.chargedWhole, reader.chargedPart, reader.chargedNothing, reader.fromOurselves)
}

// settleJournal closes the recorders of the storm, and has what is left in the journal
// recorded by a fresh one. The clerk goes on with another.
func (s *soak) settleJournal() {
	s.t.Helper()
	require.NoError(s.t, s.plainRecorder.Close(s.ctx))
	require.NoError(s.t, s.journalRecorder.Load().Close(s.ctx))
	fresh, err := s.newRecorder(transfers.Config{Journal: s.journalFolder})
	require.NoError(s.t, err)
	require.NoError(s.t, s.retryRecorder.Swap(fresh).Close(s.ctx))
	require.NoError(s.t, fresh.Flush(s.ctx))
}

// reopenRecorders closes the recorder with the journal, mostly before it is through, and opens
// another one on the same folder.
func (s *soak) reopenRecorders(storm context.Context) {
	random := rand.New(rand.NewPCG(s.seed, 2))
	for waitFor(storm, randomDuration(random, s.scaleInterval(200*time.Millisecond), s.scaleInterval(1500*time.Millisecond))) {
		hurry, cancel := context.WithTimeout(s.ctx, randomDuration(random, 0, 100*time.Millisecond))
		err := s.journalRecorder.Load().Close(hurry)
		cancel()
		s.recordFault("recorder closed")
		var left *transfers.CloseError
		switch {
		case errors.As(err, &left):
			s.mu.Lock()
			s.faults["operations left by a closed recorder, unknown"] += len(left.Unknown)
			s.faults["operations left by a closed recorder, unsent"] += len(left.Unsent)
			s.mu.Unlock()
		case err != nil:
			s.failf("close: %v", err)
		}
		fresh, err := s.newRecorder(transfers.Config{Journal: s.journalFolder})
		if err != nil {
			s.failf("open again: %v", err)
			return
		}
		s.journalRecorder.Store(fresh)
	}
}
