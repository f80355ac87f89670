package embedded

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// journal writes into a folder whatever changes the books. It has the requests as
// they came, each with its timestamp: the rules make the same of them again. Its
// methods are called with the ledger locked, but for admit, wait and close. A nil
// journal is that of a ledger in memory and does nothing.
type journal struct {
	log     *wal.Log
	answers []byte // encoded, of the request being written

	checkpoints checkpointer
}

// The records of the log.
const (
	kindAccounts  = 1 // a CreateAccounts request: last timestamp, checksum of the answers, accounts
	kindTransfers = 2 // a CreateTransfers request, likewise
	kindPulse     = 3 // timestamp, how many at most, how many were released
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

// appendRequest writes a request whose answers are in j.answers. One without events
// has changed nothing.
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

func (j *journal) appendPulse(timestamp uint64, most, released int) {
	if j == nil {
		return
	}
	j.log.Append(kindPulse, pulseBytes, func(to []byte) []byte {
		to = byteOrder.AppendUint64(to, timestamp)
		return byteOrder.AppendUint32(byteOrder.AppendUint32(to, uint32(most)), uint32(released))
	})
}

// backlogMax is how many bytes may wait for the disk when a request begins. Those who
// wait for their answers bound it anyhow, but not those who give up and send again.
const backlogMax = 64 << 20

// waitForSpace waits until there is room for one more request. Its error is the context's:
// nothing was handed over then. What is wrong with the log is for err to say.
func (j *journal) waitForSpace(ctx context.Context) error {
	if j == nil || j.log.WaitForSpace(ctx, backlogMax) == nil {
		return nil
	}
	return ctx.Err()
}

// endPosition is how far the log goes now.
func (j *journal) endPosition() wal.Position {
	if j == nil {
		return 0
	}
	return j.log.Appended()
}

// startCheckpoint begins a checkpoint if it is time for one. A read does not, so that books can
// be read where no checkpoint can be written.
func (j *journal) startCheckpoint(b *books) { j.checkpoints.startIfDue(j.log, b) }

// waitForSync returns when the log is on disk up to the position. The request has been
// handed over by now, so if it cannot be told what became of it, that is unknown.
func (j *journal) waitForSync(ctx context.Context, position wal.Position) error {
	if j == nil {
		return nil
	}
	if err := j.log.Wait(ctx, position); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, err)
	}
	return nil
}

// logError is why nothing more can be taken, nil if all is well. The books in memory are
// ahead of the folder then, so the ledger has come to its end.
func (j *journal) logError() error {
	if j == nil {
		return nil
	}
	if err := j.log.Err(); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrClosed, err)
	}
	return nil
}

// closeLog ends a checkpoint under way, writes out the log and closes the folder.
func (j *journal) closeLog() error {
	if j == nil {
		return nil
	}
	checkpointErr := j.checkpoints.stopAndWait()
	if err := j.log.Close(); err != nil {
		return fmt.Errorf("embedded: close: %w", err) // likely what is wrong with the checkpoint too
	}
	return checkpointErr
}

// The head of a request: its last timestamp, and a checksum of its answers, which
// tells when it is run again whether the rules are still those that gave them.
const requestHead = 12

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksumOf(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// appendResults encodes answers. parts takes one apart.
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
