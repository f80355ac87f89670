package transfers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// openJournal opens the journal and returns the fulfills that are in it, ready for
// their lanes. The error matches ErrJournal; then nothing is lost.
func (r *Recorder) openJournal(book *accounts.Book) ([]operation, error) {
	found := &recoveredJournal{namespace: book.Namespace(), indexByPacket: make(map[ledger.ID][]int)}
	folder := r.cfg.Journal
	log, recovery, err := wal.OpenFormat(folder, journalFormat, found.restoreRecord)
	if err != nil {
		return nil, &JournalError{Folder: folder, Err: err}
	}
	owed, err := r.buildReplay(book, found.fulfills)
	if err != nil {
		return nil, errors.Join(&JournalError{Folder: folder, Err: err}, log.Close())
	}
	if recovery.Records+recovery.CheckpointRecords == 0 {
		owner := ownerRecord(book.Namespace())
		log.Append(recordOwner, len(owner), func(b []byte) []byte { return append(b, owner...) })
	}
	r.journal = &journal{
		folder: folder, namespace: book.Namespace(), log: log, recorderCtx: r.ctx, onError: r.cfg.Events.Journal,
		checkpointAt: max(checkpointInterval, log.CheckpointSize()),
	}
	r.journal.startLoop()
	return owed, nil
}

// recoveredJournal is what an earlier recorder has left.
type recoveredJournal struct {
	namespace     string
	ownerRead     bool // the record that says whose it is was read
	fulfills      []journalRecord
	indexByPacket map[ledger.ID][]int // where those of a packet that are left are in owed, in order
}

// restoreRecord takes one record. A fulfill may be there twice, once as it was replayed
// before.
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

func (f *recoveredJournal) addFulfill(data []byte) error {
	one, err := readRecord(data)
	if err != nil {
		return err
	}
	id := one.packet.ID
	if !slices.ContainsFunc(f.indexByPacket[id], func(i int) bool { return f.fulfills[i].sameFulfill(&one) }) {
		f.indexByPacket[id] = append(f.indexByPacket[id], len(f.fulfills))
		f.fulfills = append(f.fulfills, one)
	}
	return nil
}

// dropRefused ends the first that is left of a packet. Those of one packet are answered in the
// order in which they came, so it was refused, or booked before the one that was.
func (f *recoveredJournal) dropRefused(id ledger.ID) {
	left := f.indexByPacket[id]
	if len(left) == 0 {
		return
	}
	f.fulfills[left[0]].refused = true
	if f.indexByPacket[id] = left[1:]; len(left) == 1 {
		delete(f.indexByPacket, id)
	}
}

// buildReplay makes operations of what is left.
func (r *Recorder) buildReplay(book *accounts.Book, left []journalRecord) ([]operation, error) {
	assets := make(map[uint32]accounts.Asset)
	for _, a := range book.Assets() {
		assets[a.Ledger] = a
	}
	account := func(peer string, number uint32) (accounts.PeerAccount, error) {
		asset, known := assets[number]
		switch {
		case !known:
			return accounts.PeerAccount{}, fmt.Errorf("%w: ledger number %d", accounts.ErrUnknownAsset, number)
		case peer == "":
			return book.OwnAccount(asset)
		default:
			return book.PeerAccount(peer, asset)
		}
	}
	left = slices.DeleteFunc(left, func(l journalRecord) bool { return l.refused })
	owed := make([]operation, len(left))
	for i, l := range left {
		var err error
		if l.packet.From, err = account(l.from, l.fromLedger); err == nil {
			l.packet.To, err = account(l.to, l.toLedger)
		}
		op := FulfillOp(l.packet)
		if err == nil {
			err = r.initOperation(&owed[i], &op)
		}
		if err != nil {
			return nil, fmt.Errorf("a fulfill that is left cannot be recorded with these assets; open it with those that it was written with: %w",
				wrapError(KindFulfill, l.packet.ID, err))
		}
	}
	return owed, nil
}

// replayFulfills hands over what an earlier recorder has left, ahead of everything else.
// It is kept in the journal anew, under positions of this one.
func (r *Recorder) replayFulfills(owed []operation) {
	r.backlog.forceAcquire(len(owed))
	for i := range owed {
		o := &owed[i]
		o.slot, o.replayed = new(resultSlot), true
		_ = r.admission.reserveLimits(o) // which refuses prepares only
		o.journalPos = r.journal.appendFulfill(o.packet)
		r.laneOf(o.packet.ID).addOperation(o)
	}
	if len(owed) > 0 {
		r.journal.requestCheckpoint() // what was read is there twice until there is a checkpoint
	}
}
