package transfers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// openJournal opens the journal and returns operations for its pending fulfills. The error
// matches [ErrJournal]; the journal is unchanged then.
func (r *Recorder) openJournal(book *accounts.Book) ([]operation, error) {
	recovered := &recoveredJournal{namespace: book.Namespace(), indexByPacket: make(map[ledger.ID][]int)}
	folder := r.cfg.JournalFolder
	log, recovery, err := wal.OpenFormat(folder, journalFormat, recovered.restoreRecord)
	if err != nil {
		return nil, &JournalError{Folder: folder, Err: err}
	}
	pending, err := r.buildReplay(book, recovered.fulfills)
	if err != nil {
		return nil, errors.Join(&JournalError{Folder: folder, Err: err}, log.Close())
	}
	if recovery.Records+recovery.CheckpointRecords == 0 {
		owner := ownerRecord(book.Namespace())
		log.Append(recordOwner, len(owner), func(b []byte) []byte { return append(b, owner...) })
	}
	r.journal = &journal{
		folder: folder, namespace: book.Namespace(), log: log, recorderCtx: r.ctx, onError: r.cfg.Events.JournalFailed,
		checkpointAt: max(checkpointInterval, log.CheckpointSize()),
	}
	r.journal.startLoop()
	return pending, nil
}

// recoveredJournal is the content of an earlier recorder's journal.
type recoveredJournal struct {
	namespace     string
	ownerRead     bool // the owner record was read
	fulfills      []journalRecord
	indexByPacket map[ledger.ID][]int // indexes into fulfills of a packet's pending fulfills, in order
}

// restoreRecord adds one record of the log.
func (f *recoveredJournal) restoreRecord(r wal.Record) error {
	switch {
	case r.Kind == recordOwner:
		f.ownerRead = true
		return checkOwner(r.Data, f.namespace)
	case !f.ownerRead:
		return fmt.Errorf("%w: record of kind %d before its owner's", ErrJournalForeign, r.Kind)
	case r.Kind == recordFulfill:
		return f.addFulfill(r.Data)
	case r.Kind == recordRefused && len(r.Data) == 16:
		f.dropRefused(ledger.IDFromBytes([16]byte(r.Data)))
		return nil
	default:
		return fmt.Errorf("%w: record of kind %d with %d bytes", ErrJournalForeign, r.Kind, len(r.Data))
	}
}

// addFulfill adds a fulfill once. A log may hold it twice: each recorder appends again the
// fulfills that it replays.
func (f *recoveredJournal) addFulfill(data []byte) error {
	record, err := readRecord(data)
	if err != nil {
		return err
	}
	id := record.packet.ID
	isSame := func(i int) bool { return f.fulfills[i].sameFulfill(&record) }
	if !slices.ContainsFunc(f.indexByPacket[id], isSame) {
		f.indexByPacket[id] = append(f.indexByPacket[id], len(f.fulfills))
		f.fulfills = append(f.fulfills, record)
	}
	return nil
}

// dropRefused ends the first pending fulfill of a packet. The fulfills of a packet are answered
// in order: the first one was refused, or it was booked before a later one was refused.
func (f *recoveredJournal) dropRefused(id ledger.ID) {
	pending := f.indexByPacket[id]
	if len(pending) == 0 {
		return
	}
	f.fulfills[pending[0]].refused = true
	if f.indexByPacket[id] = pending[1:]; len(pending) == 1 {
		delete(f.indexByPacket, id)
	}
}

// buildReplay returns operations for the fulfills without a refusal.
func (r *Recorder) buildReplay(book *accounts.Book, fulfills []journalRecord) ([]operation, error) {
	fulfills = slices.DeleteFunc(fulfills, func(f journalRecord) bool { return f.refused })
	operations := make([]operation, len(fulfills))
	for i, f := range fulfills {
		var err error
		if f.packet.From, err = book.AccountIn(f.fromLedger, f.from); err == nil {
			f.packet.To, err = book.AccountIn(f.toLedger, f.to)
		}
		op := FulfillOp(f.packet)
		if err == nil {
			err = r.initOperation(&operations[i], &op)
		}
		if err != nil {
			return nil, fmt.Errorf("a pending fulfill cannot be recorded with these assets; open the journal with the assets that it was written with: %w",
				wrapError(KindFulfill, f.packet.ID, err))
		}
	}
	return operations, nil
}

// replayFulfills enqueues the fulfills of an earlier recorder, before all other operations. Each
// is appended to the journal again: an operation needs a position in the open log.
func (r *Recorder) replayFulfills(operations []operation) {
	r.backlog.forceAcquire(len(operations))
	for i := range operations {
		o := &operations[i]
		o.slot, o.replayed = new(resultSlot), true
		_ = r.admission.reserveLimits(o) // refuses only prepares
		o.journalPos = r.journal.appendFulfill(o.packet)
		r.laneOf(o.packet.ID).addOperation(o)
	}
	if len(operations) > 0 {
		r.journal.requestCheckpoint() // the replayed fulfills are in the log twice until then
	}
}
