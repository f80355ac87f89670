package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// roundsSample has the figures that only rounds have.
type roundsSample struct {
	memoryBefore, memoryAfter int64 // RssAnon in bytes; 0: not known
	remembered                int64 // ids in memory at memoryAfter
	journalBytes              int64 // of the folders, at the end
	written                   int64 // packets in the journals
	journalInMemory           bool
	half                      pacedSample
}

// pacedSample are durations at a fixed load.
type pacedSample struct {
	rate                   float64 // packets per second
	prepareP50, prepareP99 time.Duration
	topUps                 int64 // timed prepares that waited for a top-up
	topUpP50, topUpP99     time.Duration
	fulfillP50, fulfillP99 time.Duration // from the call until the fulfill is on disk
}

func (s roundsSample) computeBytesPerID() float64 {
	return float64(s.memoryAfter-s.memoryBefore) / float64(max(1, s.remembered))
}

// leastRemembered is the least number of ids for a figure of memory: the rest of the process is small
// beside so many.
const leastRemembered = 1_000_000

func (s roundsSample) computeJournalBytesPerPacket() float64 {
	return float64(s.journalBytes) / float64(max(1, s.written))
}

// packetLife is the time from a packet's prepare to its Expiry in rounds.
const packetLife = 30 * time.Second

// The times of [aggregate.Config] that determine how long an id is remembered: the defaults.
const (
	holdMargin = 2 * time.Second
	horizon    = time.Minute

	rememberedFor = packetLife + holdMargin + horizon
)

// roundsRecording is the recorders of one measurement, with their journals and the engine.
type roundsRecording struct {
	recording // the journal is the folder of all journals
	recorders []*aggregate.Recorder
	ledger    *countedLedger
}

// startRounds starts the recorders of a scenario. The engine, if the scenario has one, pays a peer
// when we owe it at.
func (b *bencher) startRounds(
	ctx context.Context, w *workload, prepared preparedTarget, m measurement, at ledger.Amount,
) (r *roundsRecording, err error) {
	r = &roundsRecording{ledger: &countedLedger{Ledger: prepared.ledger}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.closeRounds(ctx))
		}
	}()
	book, err := accounts.NewBook(r.ledger, w.cfg)
	if err != nil {
		return r, err
	}
	cfg := aggregate.Config{
		HoldMargin: holdMargin, Horizon: horizon, RequestSize: max(leastRequest, min(prepared.batchMax, ledger.BatchMax)),
		Events: aggregate.Events{Stopped: r.noteFailure},
	}
	if m.settle {
		if r.engine, err = settlement.NewEngine(r.ledger, book, r.newEngineConfig(at)); err != nil {
			return r, err
		}
		cfg.Events.BalancesChanged = r.engine.NotifyBalances
	}
	if m.mode == modeRoundsJournal {
		if r.journal, err = os.MkdirTemp(b.opts.journalDir, "peerledger-bench-"); err != nil {
			return r, err
		}
	}
	for i := range m.instances {
		if cfg.LoseFulfillsWithProcess = r.journal == ""; r.journal != "" {
			cfg.JournalFolder = filepath.Join(r.journal, fmt.Sprint(i))
		}
		recorder, err := aggregate.NewRecorder(ctx, r.ledger, book, cfg)
		if err != nil {
			return r, err
		}
		r.recorders = append(r.recorders, recorder)
	}
	return r, nil
}

// leastRequest is the least RequestSize of [aggregate.Config].
const leastRequest = 64

// closeRounds closes the recorders, and then the engine and the journals.
func (r *roundsRecording) closeRounds(ctx context.Context) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	var errs []error
	for _, recorder := range r.recorders {
		errs = append(errs, recorder.Close(closing))
	}
	return errors.Join(append(errs, r.closeRecording(ctx))...)
}

// measureFolder returns the bytes of all files below a folder.
func measureFolder(folder string) (size int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return ignoreMissing(err)
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return ignoreMissing(err)
	})
	return size, err
}

// ignoreMissing returns nil for a file that was removed meanwhile.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// load is what a measurement in rounds submits.
type load struct {
	rate      float64       // packets per second; 0: as fast as possible
	packets   int           // at most, unless the measurement has a duration
	threshold ledger.Amount // of the settlement engine, if the scenario has one
}

// measureInRounds measures the greatest load, and then, with new recorders, the durations of
// operations at half of it.
func (b *bencher) measureInRounds(ctx context.Context, m measurement, prepared preparedTarget, w *workload) (s sample, err error) {
	greatest := load{packets: b.opts.packets, threshold: computeThreshold(b.opts.threshold, b.opts.packets, len(w.peers))}
	s, _, err = b.measureLoad(ctx, m, prepared, w, greatest)
	if err != nil {
		return s, err
	}
	half := load{rate: s.computePacketRate() / 2, packets: (greatest.packets + 1) / 2, threshold: greatest.threshold}
	paced, durations, err := b.measureLoad(ctx, m, prepared, w, half)
	if err != nil {
		return s, err
	}
	durations.rate = paced.computePacketRate()
	s.rounds.half = durations
	return s, nil
}

// measureLoad writes packets through new recorders.
func (b *bencher) measureLoad(
	ctx context.Context, m measurement, prepared preparedTarget, w *workload, of load,
) (s sample, durations pacedSample, err error) {
	if b.opts.duration > 0 || of.packets >= leastRemembered {
		debug.FreeOSMemory() // the memory before is without the garbage of earlier measurements
	}
	before := readAnonymousMemory()
	r, err := b.startRounds(ctx, w, prepared, m, of.threshold)
	if err != nil {
		return s, durations, err
	}
	defer func() {
		err = errors.Join(err, r.closeRounds(ctx)) // the engine may pay until then
		s.orders = r.orders.Load()
	}()
	q := b.newQuota(of.packets)
	run := newRoundsRun(r, w.newTraffic(m.distribution), q, of.rate)
	s, err = b.timeWorkers(ctx, m, pass{
		workers: run.submitAll(), quota: q, latencies: run.prepares, also: []*latencies{run.atOnce, run.fulfills}, counted: r.ledger,
	})
	w.countSent(m.distribution, 0, q.countTaken())
	if err != nil {
		return s, durations, err
	}
	s.rounds = roundsSample{memoryBefore: before, memoryAfter: readAnonymousMemory(), written: q.countTaken()}
	s.rounds.remembered = min(q.countTaken(), int64(s.computePacketRate()*rememberedFor.Seconds()))
	if r.journal != "" {
		s.rounds.journalInMemory = isInMemory(r.journal)
		s.rounds.journalBytes, err = measureFolder(r.journal)
	}
	return s, run.computePaced(), err
}
