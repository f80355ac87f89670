// Package remotetest serves a ledger to another process over a pipe, for tests and examples with
// several processes on one ledger that run without a TigerBeetle.
//
// The two processes must run the same program: records cross the pipe as they are in memory.
package remotetest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"unsafe"

	"github.com/peerledger/peerledger/ledger"
)

// frameHead begins each frame. An answer has the number of its request.
type frameHead struct {
	Number uint64
	Length uint32 // of the bytes behind the head: records, or the text of an error
	Op     operation
	Failed failure // of an answer
}

type operation uint8

const (
	createAccounts operation = iota
	createTransfers
	lookupAccounts
	lookupTransfers
	getAccountTransfers
	getAccountBalances
	queryAccounts
	queryTransfers
)

// failure is the kind of an error answer: an error returned by the ledger before it did anything,
// or any later error.
type failure uint8

const (
	noFailure failure = iota
	failureTooMuchData
	failureClosed
	failureOther
)

func failureOf(err error) failure {
	switch {
	case errors.Is(err, ledger.ErrTooMuchData):
		return failureTooMuchData
	case errors.Is(err, ledger.ErrClosed):
		return failureClosed
	default:
		return failureOther
	}
}

// toError returns the error of this kind with the text.
func (f failure) toError(text []byte) error {
	switch f {
	case failureTooMuchData:
		return fmt.Errorf("%w: %s", ledger.ErrTooMuchData, text)
	case failureClosed:
		return fmt.Errorf("%w: %s", ledger.ErrClosed, text)
	case noFailure, failureOther:
		return fmt.Errorf("%w: %s", ledger.ErrOutcomeUnknown, text)
	default:
		return fmt.Errorf("%w: failure %d: %s", ledger.ErrOutcomeUnknown, f, text)
	}
}

// bytesOf returns the memory of the rows.
func bytesOf[T any](rows []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(rows))), len(rows)*int(unsafe.Sizeof(*new(T))))
}

// readRows reads the rows in length bytes.
func readRows[T any](from io.Reader, length uint32) ([]T, error) {
	rows := make([]T, length/uint32(unsafe.Sizeof(*new(T))))
	_, err := io.ReadFull(from, bytesOf(rows))
	return rows, err
}

func readHead(from io.Reader) (h frameHead, err error) {
	return h, binary.Read(from, binary.LittleEndian, &h)
}

// frameWriter writes to one direction of the pipe.
type frameWriter struct {
	mu sync.Mutex
	to *bufio.Writer
}

func newFrameWriter(to io.Writer) *frameWriter {
	return &frameWriter{to: bufio.NewWriterSize(to, 1<<16)}
}

func (f *frameWriter) writeFrame(h frameHead, data []byte) error {
	h.Length = uint32(len(data))
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := binary.Write(f.to, binary.LittleEndian, h); err != nil {
		return err
	}
	if _, err := f.to.Write(data); err != nil {
		return err
	}
	return f.to.Flush()
}
