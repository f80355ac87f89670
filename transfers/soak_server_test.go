package transfers_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
)

// The embedded ledger of TestSoak runs in a process of its own: so its books are not
// in the memory that is measured, and kill -9 takes it away as it would take a server.
// The two processes speak over stdin and stdout: frames of a head and as many records
// as it says, as they are in memory, since both run the same binary.

const soakServerEnv = "PEERLEDGER_SOAK_SERVER"

// frameHead begins each frame. An answer has the number of its request.
type frameHead struct {
	Number uint64
	Length uint32 // bytes behind it: records, or the text of an answer that is an error
	Op     uint8  // of a request
	Failed bool   // of an answer
}

const (
	opCreateAccounts = iota
	opCreateTransfers
	opLookupAccounts
	opLookupTransfers
	opGetAccountTransfers
	opGetAccountBalances
	opQueryAccounts
	opQueryTransfers
)

// bytesOf is the memory of the rows.
func bytesOf[T any](rows []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(rows))), len(rows)*int(unsafe.Sizeof(*new(T))))
}

// readRows reads as many rows as fit in so many bytes.
func readRows[T any](from io.Reader, length uint32) ([]T, error) {
	rows := make([]T, length/uint32(unsafe.Sizeof(*new(T))))
	_, err := io.ReadFull(from, bytesOf(rows))
	return rows, err
}

// frames is one direction of the connection.
type frames struct {
	mu sync.Mutex
	to *bufio.Writer
}

func (f *frames) write(head frameHead, data []byte) error {
	head.Length = uint32(len(data))
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := binary.Write(f.to, binary.LittleEndian, head); err != nil {
		return err
	}
	if _, err := f.to.Write(data); err != nil {
		return err
	}
	return f.to.Flush()
}

func readHead(from io.Reader) (head frameHead, err error) {
	return head, binary.Read(from, binary.LittleEndian, &head)
}

// TestSoakServer is the process that TestSoak kills. It ends when its parent does.
func TestSoakServer(t *testing.T) { //nolint:paralleltest // it is alone in its process
	folder := os.Getenv(soakServerEnv)
	if folder == "" {
		t.Skip("it is a part of TestSoak")
	}
	l, err := embedded.Open(folder)
	require.NoError(t, err)
	in, out := bufio.NewReaderSize(os.Stdin, 1<<16), &frames{to: bufio.NewWriterSize(os.Stdout, 1<<16)}
	for {
		head, err := readHead(in)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.NoError(t, serve(t.Context(), l, head, in, out))
	}
	require.NoError(t, l.Close())
}

// serve reads the rest of one request, and answers it when the ledger has.
func serve(ctx context.Context, l *embedded.Ledger, head frameHead, in io.Reader, out *frames) error {
	switch head.Op {
	case opCreateAccounts:
		return serveRows(ctx, head, in, out, l.CreateAccounts)
	case opCreateTransfers:
		return serveRows(ctx, head, in, out, l.CreateTransfers)
	case opLookupAccounts:
		return serveRows(ctx, head, in, out, l.LookupAccounts)
	case opLookupTransfers:
		return serveRows(ctx, head, in, out, l.LookupTransfers)
	case opGetAccountTransfers:
		return serveRows(ctx, head, in, out, filtered(l.GetAccountTransfers))
	case opGetAccountBalances:
		return serveRows(ctx, head, in, out, filtered(l.GetAccountBalances))
	case opQueryAccounts:
		return serveRows(ctx, head, in, out, filtered(l.QueryAccounts))
	case opQueryTransfers:
		return serveRows(ctx, head, in, out, filtered(l.QueryTransfers))
	default:
		return fmt.Errorf("operation %d", head.Op)
	}
}

// filtered is a query as a request of one row.
func filtered[F, Out any](query func(context.Context, F) ([]Out, error)) func(context.Context, []F) ([]Out, error) {
	return func(ctx context.Context, filters []F) ([]Out, error) { return query(ctx, filters[0]) }
}

func serveRows[In, Out any](
	ctx context.Context, head frameHead, in io.Reader, out *frames, ask func(context.Context, []In) ([]Out, error),
) error {
	rows, err := readRows[In](in, head.Length)
	if err != nil {
		return err
	}
	go func() { // at once, as requests wait for the disk together
		answer := frameHead{Number: head.Number}
		var data []byte
		if results, err := ask(ctx, rows); err != nil {
			answer.Failed, data = true, []byte(err.Error())
		} else {
			data = bytesOf(results)
		}
		_ = out.write(answer, data) // an error means that nobody listens any more
	}()
	return nil
}
