package embedded

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// journal logs every change of the books in a folder: the requests, each with its timestamp, from
// which the rules give the same books again. Its methods are called with the ledger locked, except
// for waitForSpace, waitForSync and closeLog. A ledger in memory has a nil journal, which does
// nothing.
type journal struct {
	log     *wal.Log
	answers []byte // encoded answers to the request being written

	checkpoints checkpointer
}

// The records of the log.
const (
	kindAccounts  = 1 // a CreateAccounts request: last timestamp, checksum of the answers, accounts
	kindTransfers = 2 // a CreateTransfers request: as kindAccounts
	kindPulse     = 3 // timestamp, most holds, holds released
)

func (j *journal) appendAccounts(accounts []ledger.Account, last uint64, results []ledger.CreateAccountResult) {
	if j == nil {
		return
	}
	j.answers = appendResults(j.answers[:0], results, splitAccountResult)
	appendRequest(j, kindAccounts, last, accounts, appendAccount)
}

func (j *journal) appendTransfers(transfers []ledger.Transfer, last uint64, results []ledger.CreateTransferResult) {
	if j == nil {
		return
	}
	j.answers = appendResults(j.answers[:0], results, splitTransferResult)
	appendRequest(j, kindTransfers, last, transfers, appendTransfer)
}

// appendRequest writes a request whose answers are in j.answers. A request without events has
// changed nothing.
func appendRequest[E any](j *journal, kind uint8, last uint64, events []E, encode func([]byte, *E) []byte) {
	if len(events) == 0 {
		return
	}
	j.log.Append(kind, requestHead+len(events)*rowBytes, func(to []byte) []byte {
		to = byteOrder.AppendUint32(byteOrder.AppendUint64(to, last), checksumOf(j.answers))
		for i := range events {
			to = encode(to, &events[i])
		}
		return to
	})
}

const pulseBytes = 16

func (j *journal) appendPulse(timestamp uint64, maxHolds, released int) {
	if j == nil {
		return
	}
	j.log.Append(kindPulse, pulseBytes, func(to []byte) []byte {
		to = byteOrder.AppendUint64(to, timestamp)
		return byteOrder.AppendUint32(byteOrder.AppendUint32(to, uint32(maxHolds)), uint32(released))
	})
}

// backlogMax is the number of bytes that may wait for the disk when a request begins. Callers
// waiting for answers bound the backlog by themselves; callers that give up and send again do not.
const backlogMax = 64 << 20

// waitForSpace waits until there is room for one more request. Its error is the context's, and then
// nothing was logged. For a fault of the log see logError.
func (j *journal) waitForSpace(ctx context.Context) error {
	if j == nil || j.log.WaitForSpace(ctx, backlogMax) == nil {
		return nil
	}
	return ctx.Err()
}

// endPosition returns the end of the log.
func (j *journal) endPosition() wal.Position {
	if j == nil {
		return 0
	}
	return j.log.Appended()
}

// startCheckpoint begins a checkpoint if one is due. Only requests that changed the books call it,
// so that books can be read where no checkpoint can be written.
func (j *journal) startCheckpoint() { j.checkpoints.startIfDue(j.log) }

// waitForSync returns when the log is on disk up to the position. The request is in the log
// already, so an error means an unknown outcome.
func (j *journal) waitForSync(ctx context.Context, position wal.Position) error {
	if j == nil {
		return nil
	}
	if err := j.log.Wait(ctx, position); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, err)
	}
	return nil
}

// logError returns the fault of the log, nil if there is none. After a fault the books in memory
// are ahead of the folder, so the ledger has ended.
func (j *journal) logError() error {
	if j == nil {
		return nil
	}
	if err := j.log.Err(); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrClosed, err)
	}
	return nil
}

// closeLog ends a running checkpoint, writes the log and closes the folder.
func (j *journal) closeLog() error {
	if j == nil {
		return nil
	}
	checkpointErr := j.checkpoints.stopAndWait()
	if err := j.log.Close(); err != nil {
		return fmt.Errorf("embedded: close: %w", err) // likely the cause of checkpointErr too
	}
	return checkpointErr
}

// requestHead is the size of a request's head: its last timestamp, and a checksum of its answers,
// which verifies that a repeated request is answered by the same rules.
const requestHead = 12

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksumOf(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// appendResults encodes answers. parts splits one answer.
func appendResults[R any](to []byte, results []R, parts func(*R) (status uint32, timestamp uint64)) []byte {
	for i := range results {
		status, timestamp := parts(&results[i])
		to = byteOrder.AppendUint64(byteOrder.AppendUint32(to, status), timestamp)
	}
	return to
}

func splitAccountResult(r *ledger.CreateAccountResult) (status uint32, timestamp uint64) {
	return uint32(r.Status), r.Timestamp
}

func splitTransferResult(r *ledger.CreateTransferResult) (status uint32, timestamp uint64) {
	return uint32(r.Status), r.Timestamp
}
