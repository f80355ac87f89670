package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// rowsOfPacket is the number of rows of a packet: its hold and its post.
const rowsOfPacket = 2

// The moments of the measurement.
const (
	firstMark    = 1_000_000 // rows; the figures are taken at each power of ten from here on, and at the end
	folderWindow = 2 * time.Second
	memorySample = 100 * time.Millisecond
	probesMax    = 4096 // packets that are remembered to ask for
)

// folderFilled is the result of stepFill.
type folderFilled struct {
	Before  int64 // resident bytes before the ledger was opened
	Marks   []folderMark
	Windows []folderWindowRow

	Cached, Cold, Missing lookupTimes
	AfterReads            int64 // resident bytes after the look-ups
	Close                 float64

	Probes []folderProbe
}

// folderMark has the figures at a number of rows. The ledger rests meanwhile.
type folderMark struct {
	Rows     int64   `json:"rows"`
	Resident int64   `json:"resident_bytes"`      // after a collection, of the whole process
	Peak     int64   `json:"resident_peak_bytes"` // since the last mark, while the ledger worked
	PerRow   float64 `json:"bytes_per_settled_transfer"`
	FromFile int64   `json:"resident_file_bytes"` // page cache in the process's address space, program included
	Disk     int64   `json:"disk_bytes"`
	DiskRow  float64 `json:"disk_bytes_per_row"`

	// Of the second half of the rows.
	Rate    float64 `json:"packets_per_second"`
	RowRate float64 `json:"rows_per_second"`
	P50     float64 `json:"p50_us"` // from Submit to the answer
	P99     float64 `json:"p99_us"`
}

// folderWindowRow is the throughput of some seconds.
type folderWindowRow struct {
	Rows     int64   `json:"rows"`    // at the end of the window
	Seconds  float64 `json:"seconds"` // of the window
	Rate     float64 `json:"packets_per_second"`
	Resident int64   `json:"resident_bytes"` // with garbage
}

// filling is a ledger that is being filled.
type filling struct {
	step   *folderStep
	ledger *embedded.Ledger
	load   *workload
	filled folderFilled
	peak   atomic.Int64

	probes sync.Mutex // guards filled.Probes
	every  uint64     // one packet in so many is a probe
}

// fill writes the rows of the request. At each mark it measures the ledger at rest.
func (s *folderStep) fill(ctx context.Context) error {
	debug.FreeOSMemory()
	f := &filling{step: s, every: uint64(max(1, s.Rows/rowsOfPacket/probesMax))}
	f.filled.Before = readResidentMemory()
	var err error
	if f.ledger, err = embedded.Open(s.Folder); err != nil {
		return err
	}
	err = f.writeAndMeasure(ctx)
	began := time.Now()
	err = errors.Join(err, f.ledger.Close())
	f.filled.Close = time.Since(began).Seconds()
	if err != nil {
		return err
	}
	return s.printResult(&f.filled)
}

func (f *filling) writeAndMeasure(ctx context.Context) (err error) {
	if f.load, err = f.step.openLoad(ctx, f.ledger); err != nil {
		return err
	}
	packets := int64(0)
	for _, rows := range listMarks(f.step.Rows) {
		end := rows / rowsOfPacket
		middle := packets + max(0, end/2-packets)
		if _, err = f.writePackets(ctx, packets, middle-packets); err != nil {
			return err
		}
		half, err := f.writePackets(ctx, middle, end-middle)
		if err != nil {
			return err
		}
		packets = end
		if err := f.measureMark(rows, half); err != nil {
			return err
		}
	}
	if err := f.load.verifyBooks(ctx, f.ledger); err != nil {
		return err
	}
	if f.filled.Cached, f.filled.Cold, f.filled.Missing, err = f.measureLookups(ctx); err != nil {
		return err
	}
	debug.FreeOSMemory()
	f.filled.AfterReads = readResidentMemory()
	return nil
}

// listMarks returns the numbers of rows at which the ledger is measured.
func listMarks(rows int64) (marks []int64) {
	for mark := int64(firstMark); mark < rows; mark *= 10 {
		marks = append(marks, mark)
	}
	return append(marks, rows)
}

// folderNamespace is of the accounts in the folder.
const folderNamespace = "bench folder"

// openLoad returns the packets of all steps. The peers are provisioned by the first step.
func (s *folderStep) openLoad(ctx context.Context, l ledger.Ledger) (*workload, error) {
	return newWorkload(ctx, l, folderNamespace, s.Peers, s.Seed)
}

// writePackets writes packets through a recorder, whose memory is gone when the call returns.
func (f *filling) writePackets(ctx context.Context, first, count int64) (s sample, err error) {
	if count == 0 {
		return s, nil
	}
	recorded, err := f.load.startRecording(ctx, f.ledger, scenario{lanes: f.step.Lanes}, ledger.Amount{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, recorded.closeRecording(ctx)) }()
	run := &recorderRun{
		recorder: recorded.recorder, traffic: f.load.newTraffic(uniformTraffic), phase: phaseTwo,
		quota: &quota{total: first + count}, latencies: newLatencies(f.step.Lanes), held: f.keepProbe,
	}
	run.quota.next.Store(first)
	working, stopWatching := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { f.watch(working, run.quota) })
	began := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	for _, work := range run.submitAll(f.step.Lanes) {
		group.Go(func() error { return work(groupCtx) })
	}
	err = group.Wait()
	s.elapsed, s.packets = time.Since(began), count
	stopWatching()
	watching.Wait()
	f.load.countSent(uniformTraffic, first, count)
	s.p50, s.p99, s.p100 = run.latencies.computePercentiles()
	return s, err
}

// keepProbe remembers some of the packets.
func (f *filling) keepProbe(i int64, held transfers.Packet) {
	if uint64(i)%f.every != 0 {
		return
	}
	f.probes.Lock()
	defer f.probes.Unlock()
	f.filled.Probes = append(f.filled.Probes, folderProbe{
		Hold: held.ID, Debit: held.From.ID(), Credit: held.To.ID(), Tag: computeConditionTag(i),
	})
}

// watch samples throughput and memory until ctx ends.
func (f *filling) watch(ctx context.Context, q *quota) {
	ticks := time.NewTicker(memorySample)
	defer ticks.Stop()
	began, packets, shown := time.Now(), q.countTaken(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		resident := readResidentMemory()
		f.peak.Store(max(f.peak.Load(), resident))
		took := time.Since(began)
		if took < folderWindow {
			continue
		}
		now := q.countTaken()
		row := folderWindowRow{
			Rows: now * rowsOfPacket, Seconds: took.Seconds(), Rate: float64(now-packets) / took.Seconds(), Resident: resident,
		}
		f.filled.Windows = append(f.filled.Windows, row)
		began, packets = time.Now(), now
		if time.Since(shown) > 5*folderWindow {
			shown = time.Now()
			fmt.Fprintf(f.step.stderr, "%d rows, %.0f packets/s, %d MiB resident\n", row.Rows, row.Rate, resident>>20)
		}
	}
}

// measureMark measures the ledger at rest. half has the rate and the durations.
func (f *filling) measureMark(rows int64, half sample) error {
	runtime.GC()
	debug.FreeOSMemory()
	mark := folderMark{
		Rows: rows, Resident: readResidentMemory(), Peak: f.peak.Swap(0), FromFile: readStatusBytes("RssFile:"),
		Rate: half.computePacketRate(), RowRate: rowsOfPacket * half.computePacketRate(),
		P50: toMicroseconds(half.p50), P99: toMicroseconds(half.p99),
	}
	mark.PerRow = float64(mark.Resident-f.filled.Before) / float64(rows)
	var err error
	if mark.Disk, err = measureFolder(f.step.Folder); err != nil {
		return err
	}
	mark.DiskRow = float64(mark.Disk) / float64(rows)
	f.filled.Marks = append(f.filled.Marks, mark)
	fmt.Fprintf(f.step.stderr, "%d rows: %.1f bytes of memory and %.1f of disk a row, %.0f packets/s\n",
		rows, mark.PerRow, mark.DiskRow, mark.Rate)
	return nil
}
