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

// workerCount is the number of goroutines that send packets.
const workerCount = 600

// runStorm runs the workers and the faults, settles the rest, and sums up the models.
// injectFaults runs in the test's goroutine until storm ends, and must leave no fault behind.
func (s *soak) runStorm(injectFaults func(storm context.Context)) {
	s.t.Helper()
	storm, over := context.WithTimeout(s.ctx, s.length)
	defer over()
	all := make([]*worker, workerCount)
	var working, helping, retrying, reading sync.WaitGroup
	for i := range all {
		w := &worker{soak: s, random: rand.New(rand.NewPCG(s.seed, uint64(i)+100)), model: newModel(s.assetIDs, s.book), counts: make(counts)}
		all[i] = w
		working.Go(func() { w.sendPackets(s.ctx, storm) })
	}
	retry := &retrier{soak: s, model: newModel(s.assetIDs, s.book), counts: make(counts)}
	retrying.Go(func() { retry.answerQuestions(s.ctx) })
	reader := &lateReader{soak: s, model: newModel(s.assetIDs, s.book)}
	reading.Go(func() { reader.bookLatePackets(s.ctx) })
	helping.Go(func() { s.reopenRecorders(storm) })
	helping.Go(func() { s.measureMemory(storm) })

	began := time.Now()
	injectFaults(storm)
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
	retrying.Wait()
	close(s.latePackets)
	reading.Wait()

	s.total = newModel(s.assetIDs, s.book)
	for _, w := range all {
		s.total.addModel(w.model)
		s.resultCounts.addCounts(w.counts)
		s.sampledResults = append(s.sampledResults, w.samples...)
	}
	s.total.addModel(retry.model)
	s.total.addModel(reader.model)
	s.resultCounts.logCounts(s.t, "answers to callers")
	retry.counts.logCounts(s.t, "asked again")
	s.t.Logf("late: %d charged whole, %d in part, %d not at all, %d from ourselves", reader.chargedWhole, reader.chargedPart, reader.chargedNothing, reader.fromOurselves)
}

// settleJournal closes the recorders of the storm. A new recorder records the fulfills left in
// the journal, and serves the retrier from then on.
func (s *soak) settleJournal() {
	s.t.Helper()
	require.NoError(s.t, s.plainRecorder.Close(s.ctx))
	require.NoError(s.t, s.journalRecorder.Load().Close(s.ctx))
	fresh, err := s.newRecorder(transfers.Config{JournalFolder: s.journalFolder})
	require.NoError(s.t, err)
	require.NoError(s.t, s.retryRecorder.Swap(fresh).Close(s.ctx))
	require.NoError(s.t, fresh.Flush(s.ctx))
}

// reopenRecorders closes the recorder with the journal, mostly before it has finished, and opens
// another recorder on the same folder.
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
			s.faults["operations left by a closed recorder, unknown"] += len(left.UnknownOps)
			s.faults["operations left by a closed recorder, unsent"] += len(left.UnsentOps)
			s.mu.Unlock()
		case err != nil:
			s.failf("close: %v", err)
		}
		fresh, err := s.newRecorder(transfers.Config{JournalFolder: s.journalFolder})
		if err != nil {
			s.failf("open again: %v", err)
			return
		}
		s.journalRecorder.Store(fresh)
	}
}
