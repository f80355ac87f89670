package parquet_test

import (
	"bytes"
	"errors"
	"io"
	"math/big"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	file "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/parquet"
	"github.com/peerledger/peerledger/ledger"
)

var usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

// The columns are a promise: those of CSV, in their order, with these types.
func TestColumns(t *testing.T) {
	t.Parallel()
	content := newBook(rand.New(rand.NewPCG(1, 1)), []accounts.Asset{usd}, 8, 1).write(t)
	f, err := file.OpenFile(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	var names []string
	for _, field := range f.Schema().Fields() {
		names = append(names, field.Name())
	}
	require.Equal(t, export.ColumnNames(), names)
	require.Equal(t, `message entries {
	required int64 time (TIMESTAMP(isAdjustedToUTC=true,unit=NANOS));
	optional binary transfer (STRING);
	required binary kind (STRING);
	required binary asset (STRING);
	required int64 scale (INT(64,true));
	required binary debit (STRING);
	required binary credit (STRING);
	required fixed_len_byte_array(16) amount (DECIMAL(38,2));
	optional fixed_len_byte_array(16) debit_balance (DECIMAL(38,2));
	optional fixed_len_byte_array(16) credit_balance (DECIMAL(38,2));
	required int64 transfers (INT(64,true));
	optional int64 code (INT(64,true));
	optional binary packet (STRING);
	optional binary condition (STRING);
	optional binary order (STRING);
	optional binary key_hash (STRING);
	optional int64 reason (INT(64,true));
	optional binary journal (STRING);
	optional int64 round (INT(64,true));
	required boolean late;
	required int64 ledger (INT(64,true));
}`, f.Schema().String())
}

// What is known of an entry is in its columns, and what is unknown is null: a balance of an account that the
// export does not have in full, among others.
func TestValues(t *testing.T) {
	t.Parallel()
	alice := &export.Account{Index: 0, Asset: usd, Kind: export.KindPeer, Peer: "alice"}
	other := &export.Account{Index: 1, Asset: usd, Kind: export.KindOther, Hash: ledger.NewID(7, 0), Partial: true}
	b := &book{
		header:  export.Header{Part: 1, Assets: []export.Asset{{Asset: usd, Bound: big.NewInt(1000)}}, Accounts: []*export.Account{alice, other}},
		closing: make([]export.Balance, 2),
	}
	full := export.Entry{
		Time: 5, Transfer: ledger.NewID(1, 0), Count: 1, Kind: accounts.EntryRound, Debit: other, Credit: alice, Amount: ledger.NewAmount(250),
		CreditBalance: export.Balance{Units: ledger.NewAmount(250), Negative: true},
		Code:          7, Packet: ledger.NewID(2, 0), ConditionTag: [8]byte{0xab}, Order: ledger.NewID(3, 0), KeyHash: ledger.NewID(4, 0),
		ReasonCode: 5, Journal: 0x1f, Round: 6, Late: true,
	}
	sum := export.Entry{Time: 6, Count: 12, Kind: accounts.EntryPacket, Debit: alice, Credit: other, Amount: ledger.NewAmount(1)}
	b.entries = []export.Entry{full, sum}
	content := b.write(t)
	rows := readRows(t, content)
	id := strings.Repeat("0", 31)
	require.Equal(t, []string{
		"5", id + "1", "round", "USD", "2", "other#" + id + "7", "peer:alice", "250", "<null>", "-250", "1", "7", id + "2", "ab00000000000000",
		id + "3", id + "4", "5", "000000000000001f", "6", "true", "1",
	}, rows[0])
	require.Equal(t, []string{
		"6", "<null>", "packet", "USD", "2", "peer:alice", "other#" + id + "7", "1", "0", "<null>", "12", "<null>", "<null>", "<null>",
		"<null>", "<null>", "<null>", "<null>", "<null>", "false", "1",
	}, rows[1])
}

// readRows returns the values as texts, decimals as units.
func readRows(t *testing.T, content []byte) [][]string {
	t.Helper()
	f, err := file.OpenFile(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	var texts [][]string
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		buffer := make([]file.Row, group.NumRows())
		n, err := rows.ReadRows(buffer)
		require.True(t, err == nil || errors.Is(err, io.EOF), err)
		for _, row := range buffer[:n] {
			var line []string
			for _, value := range row {
				text := value.String()
				if value.Kind() == file.FixedLenByteArray {
					n := new(big.Int).SetBytes(value.ByteArray())
					if n.Bit(127) == 1 {
						n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
					}
					text = n.String()
				}
				line = append(line, text)
			}
			texts = append(texts, line)
		}
		require.NoError(t, rows.Close())
	}
	return texts
}

// An amount above its bound would not fit the column: it is an error, and no other number.
func TestAmountAboveTheBound(t *testing.T) {
	t.Parallel()
	b := newBook(rand.New(rand.NewPCG(1, 1)), []accounts.Asset{usd}, 8, 1)
	w := parquet.Format().NewWriter(io.Discard)
	require.NoError(t, w.Begin(&b.header))
	b.entries[0].Amount = ledger.AmountMax
	require.ErrorContains(t, w.Write(&b.entries[0]), "have more than 38 digits")
}

type fullDisk struct{}

var errFull = errors.New("no space left on device")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := newBook(rand.New(rand.NewPCG(1, 1)), []accounts.Asset{usd}, 8, 10)
	w := parquet.Format().NewWriter(fullDisk{})
	err := w.Begin(&b.header)
	for i := range b.entries {
		if err == nil {
			err = w.Write(&b.entries[i])
		}
	}
	if err == nil {
		err = w.End(&export.Summary{Closing: b.closing, Totals: []export.Total{{Amounts: new(big.Int)}}})
	}
	require.ErrorIs(t, err, errFull)
}

// Memory stays the same however many entries a file has.
func TestMemoryIsFlat(t *testing.T) { //nolint:paralleltest // reads the memory of the process
	b := newBook(rand.New(rand.NewPCG(1, 1)), []accounts.Asset{usd}, 8, 1)
	w := parquet.Format().NewWriter(io.Discard)
	require.NoError(t, w.Begin(&b.header))
	e, largest := b.entries[0], []uint64{}
	for i := range 300_000 {
		e.Time, e.Transfer = uint64(i), ledger.NewID(uint64(i)*0x9e3779b97f4a7c15, uint64(i))
		require.NoError(t, w.Write(&e))
		if i%100_000 == 99_999 {
			var memory runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&memory)
			largest = append(largest, memory.HeapAlloc>>20)
		}
	}
	t.Log("MiB after each 100000 entries:", largest)
	require.Less(t, largest[2], largest[0]+60)
}
