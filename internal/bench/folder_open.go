package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// lookupsMax is the number of timed look-ups of each kind.
const lookupsMax = 2000

// lookupTimes are the durations of look-ups of one id each.
type lookupTimes struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
	P100  float64 `json:"p100_us"`
}

// folderOpened is the result of stepOpen.
type folderOpened struct {
	Open     float64 `json:"open_s"`
	Query    float64 `json:"first_query_s"`   // from Open to the first right answer of a query
	Lookup   float64 `json:"first_look_up_s"` // and of a look-up, which comes after the query
	Records  int     `json:"records_replayed"`
	Rows     int     `json:"rows"`           // found by Open
	Resident int64   `json:"resident_bytes"` // after the answers and a collection
	Cold     bool    `json:"cold"`           // the folder's files were not in the page cache
}

// folderWritten is the result of stepWrite.
type folderWritten struct{ Probes []folderProbe }

// errProbe is returned when the ledger does not find the rows of a packet.
var errProbe = errors.New("the ledger's answer about a packet is wrong")

// open opens the folder and measures the time to the first right answers.
func (s *folderStep) open(ctx context.Context) (err error) {
	var opened folderOpened
	if s.Cold {
		if opened.Cold, err = dropCached(s.Folder); err != nil {
			return err
		}
	}
	began := time.Now()
	l, err := embedded.Open(s.Folder)
	if err != nil {
		return err
	}
	opened.Open = time.Since(began).Seconds()
	defer func() { err = errors.Join(err, l.Close()) }()
	random := rand.New(rand.NewPCG(s.Seed, 3))
	if err = s.drawProbe(random).checkQuery(ctx, l); err != nil {
		return err
	}
	opened.Query = time.Since(began).Seconds()
	if err = s.drawProbe(random).checkLookup(ctx, l); err != nil {
		return err
	}
	opened.Lookup = time.Since(began).Seconds()
	found := l.Recovery()
	opened.Records, opened.Rows = found.Records, found.Transfers
	if int64(found.Transfers) < s.First*rowsOfPacket {
		return fmt.Errorf("%w: %d rows in the folder, %d were answered", errProbe, found.Transfers, s.First*rowsOfPacket)
	}
	for range lookupsMax {
		if err = s.drawProbe(random).checkLookup(ctx, l); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	opened.Resident = readResidentMemory()
	return s.printResult(&opened)
}

func (s *folderStep) drawProbe(random *rand.Rand) folderProbe {
	return s.Probes[random.IntN(len(s.Probes))]
}

// write writes the rows of the request, prints its result, and writes on. It returns only if it
// fails or ctx ends: the process is killed.
func (s *folderStep) write(ctx context.Context) (err error) {
	l, err := embedded.Open(s.Folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	f := &filling{step: s, ledger: l, every: uint64(max(1, s.Rows/rowsOfPacket/probesMax))}
	if f.load, err = s.openLoad(ctx, l); err != nil {
		return err
	}
	count := s.Rows / rowsOfPacket
	if _, err = f.writePackets(ctx, s.First, count); err != nil {
		return err
	}
	if err = s.printResult(&folderWritten{f.filled.Probes}); err != nil {
		return err
	}
	for first := s.First + count; err == nil; first += count {
		_, err = f.writePackets(ctx, first, count)
	}
	return err
}

// checkLookup looks the packet's hold up.
func (p folderProbe) checkLookup(ctx context.Context, l ledger.Ledger) error {
	found, err := l.LookupTransfers(ctx, []ledger.ID{p.Hold})
	if err != nil {
		return err
	}
	if len(found) != 1 || !p.isHold(&found[0]) {
		return fmt.Errorf("%w: a look-up of %v finds %+v", errProbe, p.Hold, found)
	}
	return nil
}

// checkQuery asks for the rows with the packet's tag.
func (p folderProbe) checkQuery(ctx context.Context, l ledger.Ledger) error {
	found, err := l.QueryTransfers(ctx, ledger.QueryFilter{UserData64: p.Tag, Limit: 10})
	if err != nil {
		return err
	}
	if len(found) != rowsOfPacket || !p.isHold(&found[0]) || found[1].PendingID != p.Hold {
		return fmt.Errorf("%w: a query for tag %d finds %+v", errProbe, p.Tag, found)
	}
	return nil
}

func (p folderProbe) isHold(t *ledger.Transfer) bool {
	return t.ID == p.Hold && t.DebitAccountID == p.Debit && t.CreditAccountID == p.Credit && t.UserData64 == p.Tag &&
		t.Amount == ledger.NewAmount(unit) && t.Flags.Has(ledger.TransferPending)
}

// measureLookups looks packets of any age up, first as the page cache has them, and then without
// the folder's files in it; the latter are no figures where files cannot be dropped from the cache.
// Last it looks ids up that no row has.
func (f *filling) measureLookups(ctx context.Context) (cached, cold, missing lookupTimes, err error) {
	random := rand.New(rand.NewPCG(f.step.Seed, 4))
	draw := func() folderProbe { return f.filled.Probes[random.IntN(len(f.filled.Probes))] }
	find := func() error { return draw().checkLookup(ctx, f.ledger) }
	if cached, err = timeLookups(find); err != nil {
		return cached, cold, missing, err
	}
	dropped, err := dropCached(f.step.Folder)
	if err == nil && dropped {
		cold, err = timeLookups(find)
	}
	if err != nil {
		return cached, cold, missing, err
	}
	missing, err = timeLookups(func() error {
		id := draw().Hold
		id.Lo ^= random.Uint64() << 8
		if id.Hi ^= 1 << 20; id.IsZero() {
			return nil
		}
		found, err := f.ledger.LookupTransfers(ctx, []ledger.ID{id})
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("%w: %v is in the ledger", errProbe, id)
		}
		return err
	})
	return cached, cold, missing, err
}

func timeLookups(find func() error) (lookupTimes, error) {
	times := newHistogram()
	for range lookupsMax {
		began := time.Now()
		if err := find(); err != nil {
			return lookupTimes{}, err
		}
		_ = times.RecordValue(int64(min(time.Since(began), latencyMax))) // no error: the value is in the range
	}
	at := func(p float64) float64 { return toMicroseconds(time.Duration(times.ValueAtPercentile(p))) }
	return lookupTimes{Count: lookupsMax, P50: at(50), P99: at(99), P100: at(100)}, nil
}
