package embedded

import (
	"context"

	"github.com/peerledger/peerledger/internal/idindex"
	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// seal is a checkpoint together with the segments of the frozen generations. The order of events:
//
//  1. The ledger, locked, freezes the books and begins the checkpoint (beginSeal). From now on, the
//     log behind the checkpoint has the requests after the freeze.
//  2. A goroutine writes a segment for each frozen generation, and a run of their ids (writeFiles).
//  3. It writes the checkpoint, which names these files, and commits it.
//  4. The ledger, locked, reads the frozen rows from the files, and drops them from memory
//     (finishSeal).
//
// After a crash before the end of step 3, the checkpoint before and its log count, and Open removes
// the files. So a row is either in the log, or in a file named by the newest checkpoint.
//
// After a failure the generations stay frozen, and the next seal takes them with it.
type seal struct {
	generations []*generation // frozen, oldest first
	accounts    rows[ledger.Account]
	holds       []*lateHold // pending at the freeze
	clock       uint64

	cold coldStore     // with the new segments, when they are written
	ids  *idindex.Seal // the run of the new ids, from writeFiles on
}

// beginSeal freezes the books. Requests wait while the accounts are copied, some 10 ms for a
// million, and while the frozen rows are searched for pending holds, some 5 ms for 2^17.
func (b *books) beginSeal() *seal {
	b.freeze()
	s := &seal{
		generations: b.frozen[:len(b.frozen):len(b.frozen)], accounts: b.accounts.cloneRows(),
		holds: b.holds.pendingHolds(), clock: b.clock.newestTimestamp, cold: b.cold,
	}
	s.cold.segments = s.cold.segments[:len(s.cold.segments):len(s.cold.segments)]
	return s
}

// finishSeal makes the books read the rows of a seal from its files.
func (b *books) finishSeal(s *seal) {
	b.cold = s.cold
	b.dropFrozen(len(s.generations))
}

// writeFiles writes the segments and the run of ids, all durable, and not named by a checkpoint yet.
// A segment that was written before a failure is not written again.
func (s *seal) writeFiles(ctx context.Context) error {
	entries := 0
	for _, g := range s.generations {
		entries += int(g.transfers.count+g.burnt.ids.count) + len(g.lateEnds)
		if g.transfers.count == 0 && g.expired.count == 0 && len(g.lateEnds) == 0 {
			continue
		}
		if g.segment == nil {
			written, err := g.writeSegment(ctx, s.cold, &s.accounts)
			if err != nil {
				return err
			}
			g.segment = written
		}
		s.cold.addSegment(g.segment, g.expirySpan())
	}
	s.ids = s.cold.index.NewSeal(entries)
	for _, g := range s.generations {
		g.addIDs(s.ids)
	}
	s.cold.used = true
	return s.ids.WriteRun()
}

// estimateBytes returns about as many bytes as the files of the seal have.
func (s *seal) estimateBytes() int64 {
	const bytesOfRow = 2 * rowBytes // with its indexes
	n := int64(s.accounts.count)*rowBytes + int64(len(s.holds))*holdBytes
	for _, g := range s.generations {
		n += int64(g.transfers.count) * bytesOfRow
	}
	return n
}

// addIDs adds the entries of a generation to a run of ids.
func (g *generation) addIDs(run *idindex.Seal) {
	for p := range g.transfers.count {
		run.AddEntry(g.transfers.rowAt(p).ID, idindex.Entry{Kind: idindex.KindTransfer, Position: uint64(g.positionOf(p))})
	}
	for _, h := range g.lateEnds {
		run.AddEntry(h.ID, idindex.Entry{Kind: endedKinds[h.holdState], Position: uint64(h.position)})
	}
	for i := range g.burnt.ids.count {
		run.AddBurnt(*g.burnt.ids.rowAt(i))
	}
}

// expirySpan returns the first and the last timestamp of the expiries.
func (g *generation) expirySpan() expirySpan {
	if g.expired.count == 0 {
		return expirySpan{}
	}
	return expirySpan{g.expired.rowAt(0).timestamp, g.expired.rowAt(g.expired.count - 1).timestamp}
}

// writeSegment writes a frozen generation, and opens the segment. accounts has all accounts of its time.
func (g *generation) writeSegment(ctx context.Context, cold coldStore, accounts *rows[ledger.Account]) (*segment.Segment, error) {
	w, err := segment.Create(cold.folder, uint64(g.first), int(g.transfers.count))
	if err != nil {
		return nil, err
	}
	defer w.Discard()
	for p := range g.transfers.count {
		if p%chunkRows == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		row := toRow(g.transfers.rowAt(p), accounts)
		if err := w.AppendRow(&row); err != nil {
			return nil, err
		}
	}
	for i := range g.starts.count {
		w.AddStart(toStart(g.starts.rowAt(i)))
	}
	for i := range g.expired.count {
		w.AddExpiry(toExpiry(g.expired.rowAt(i)))
	}
	for _, h := range g.lateEnds {
		w.AddLateEnd(segment.LateEnd{Hold: uint64(h.position), State: uint8(h.holdState)})
	}
	entry, err := w.Finish()
	if err != nil {
		return nil, err
	}
	s, err := cold.openSegment(entry)
	if err != nil {
		_ = cold.folder.RemoveFile(entry.FileName())
	}
	return s, err
}

func toStart(s *accountStart) segment.Start {
	return segment.Start{
		Account:       uint32(s.account),
		DebitsPending: s.state.debitsPending, DebitsPosted: s.state.debitsPosted,
		CreditsPending: s.state.creditsPending, CreditsPosted: s.state.creditsPosted,
		Flags: s.state.flags,
	}
}

// sealNow seals all hot rows without a checkpoint, before the ledger is in use. The checkpoint that
// names the files comes later.
func (b *books) sealNow(ctx context.Context) error {
	s := b.beginSeal()
	if err := s.writeFiles(ctx); err != nil {
		s.giveUp()
		return err
	}
	s.ids.Commit()
	b.finishSeal(s)
	return nil
}

// giveUp gives up a seal before its checkpoint is committed.
func (s *seal) giveUp() {
	if s.ids != nil {
		s.ids.Discard()
	}
}
