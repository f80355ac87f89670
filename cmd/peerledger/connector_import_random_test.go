package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// importScales are the scales of the assets of random imports.
var importScales = []uint8{0, 2, 9, 18, 30}

// importedPeer is a peer of a random connector. line -1: it may owe any amount.
type importedPeer struct{ line, position *big.Int }

// newImportLedger is a folder without a ledger, and a configuration with assets alone.
func newImportLedger(t *testing.T) testLedger {
	t.Helper()
	dir := t.TempDir()
	s := testLedger{config: filepath.Join(dir, "peerledger.yaml"), folder: filepath.Join(dir, "ledger")}
	text := "namespace: test\nassets:\n"
	for i, scale := range importScales {
		text += fmt.Sprintf("  - {code: A%d, scale: %d, ledger: %d}\n", i, scale, i+1)
	}
	require.NoError(t, os.WriteFile(s.config, []byte(text), 0o600))
	return s
}

// crashingLedger ends the command at one of its writes: before the ledger has it, or after the answer was lost.
type crashingLedger struct {
	ledger.Ledger
	left      *int // writes before the crash
	isApplied bool
	interrupt func()
}

var errCrash = errors.New("the program ends here")

func (l crashingLedger) CreateTransfers(ctx context.Context, list []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if *l.left--; *l.left > 0 {
		return l.Ledger.CreateTransfers(ctx, list)
	}
	if l.isApplied {
		if _, err := l.Ledger.CreateTransfers(ctx, list); err != nil {
			return nil, err
		}
		l.interrupt()
		return nil, ledger.ErrOutcomeUnknown
	}
	return nil, errCrash
}

// importWithCrashes repeats an import that ends at a random write, until one goes through.
func importWithCrashes(t *testing.T, r *rand.Rand, s testLedger, args ...string) {
	t.Helper()
	args = append([]string{"--config", s.config, "--folder", s.folder, "import"}, append(args, "--reason", "9", "--yes")...)
	for range 5 {
		left, isApplied := 1+r.IntN(8), r.IntN(2) == 0
		ctx, interrupt := context.WithCancel(t.Context())
		got := runAppWith(ctx, func(a *app) {
			a.wrapLedger = func(l ledger.Ledger) ledger.Ledger { return crashingLedger{l, &left, isApplied, interrupt} }
		}, args...)
		interrupt()
		if got.status == statusDone {
			return
		}
		require.Contains(t, []int{statusFailed, statusUnknown}, got.status, got.errors)
		require.True(t, strings.Contains(got.errors, errCrash.Error()) || got.status == statusUnknown, got.errors)
	}
	got := runApp(t, args...)
	require.Equal(t, statusDone, got.status, got.errors)
}

// requireImported requires the ledger to have the peers of a connector, to the unit.
func requireImported(t *testing.T, s testLedger, want map[string]importedPeer) {
	t.Helper()
	rows := readRows[peerRow](t, s, "balances")
	require.Len(t, rows, len(want))
	for _, row := range rows {
		var index, scale int
		_, err := fmt.Sscanf(row.Asset, "A%d/%d", &index, &scale)
		require.NoError(t, err)
		asset, e := accounts.Asset{Scale: uint8(scale)}, want[row.Peer+" "+strconv.Itoa(index)]
		line := unlimited
		if e.line.Sign() >= 0 {
			line = formatSigned(asset, e.line)
		}
		require.Equal(t, []string{line, formatSigned(asset, e.position)}, []string{row.CreditLine, row.Position}, "%s %s", row.Peer, row.Asset)
	}
	s.runOK(t, "trial-balance")
}

// Peers of a random interledger-rs are imported through crashes. All balances equal the connector's, and a second import changes nothing.
func TestImportRandomInterledgerRS(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 8 {
		want := map[string]importedPeer{}
		var list []map[string]any
		for i := range 1 + r.IntN(6) {
			index := r.IntN(len(importScales))
			earned, prepaid := r.Int64()-r.Int64(), int64(0)
			if earned >= 0 {
				prepaid = r.Int64N(1 << 62)
			}
			e := importedPeer{line: big.NewInt(-1), position: new(big.Int).Add(big.NewInt(earned), big.NewInt(prepaid))}
			name := "peer" + strconv.Itoa(i)
			a := map[string]any{"id": "id" + name, "username": name, "asset_code": "A" + strconv.Itoa(index), "asset_scale": importScales[index], "balance": strconv.FormatInt(earned, 10), "prepaid_amount": strconv.FormatInt(prepaid, 10), "settle_threshold": nil}
			if r.IntN(3) > 0 {
				e.line = big.NewInt(r.Int64N(1 << 62))
				a["min_balance"] = new(big.Int).Neg(e.line).String()
			}
			list, want[name+" "+strconv.Itoa(index)] = append(list, a), e
		}
		importTwice(t, r, want, "interledger-rs", list)
	}
}

// The same for a random Rafiki, whose liquidity is 64 bits and more.
func TestImportRandomRafiki(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 8 {
		want := map[string]importedPeer{}
		var edges []any
		data := map[string]any{}
		for i := range 1 + r.IntN(6) {
			index, name := r.IntN(len(importScales)), "test.peer"+strconv.Itoa(i)
			deposits, packets := new(big.Int).SetUint64(r.Uint64()), new(big.Int).SetUint64(r.Uint64())
			if r.IntN(2) == 0 && packets.Cmp(deposits) <= 0 {
				packets.Neg(packets)
			}
			liquidity := new(big.Int).Add(deposits, packets)
			asset := map[string]any{"id": "asset" + strconv.Itoa(index), "code": "A" + strconv.Itoa(index), "scale": importScales[index]}
			edges = append(edges, map[string]any{"node": map[string]any{"id": name, "staticIlpAddress": name, "asset": asset, "liquidity": liquidity.String()}})
			e := importedPeer{line: liquidity, position: new(big.Int)}
			if r.IntN(2) == 0 {
				e = importedPeer{line: deposits, position: packets}
				credits := []any{map[string]any{"creditAccountId": name, "amount": deposits.String(), "transferType": "DEPOSIT", "state": "POSTED"}}
				debits := []any{}
				packet := map[string]any{"creditAccountId": name, "debitAccountId": name, "amount": new(big.Int).Abs(packets).String(), "transferType": "TRANSFER", "state": "POSTED"}
				if packets.Sign() < 0 {
					debits = append(debits, packet)
				} else {
					credits = append(credits, packet)
				}
				data["t"+strconv.Itoa(i)] = map[string]any{"debits": debits, "credits": credits}
			}
			want[name+" "+strconv.Itoa(index)] = e
		}
		data["peers"] = map[string]any{"edges": edges}
		importTwice(t, r, want, "rafiki", map[string]any{"data": data})
	}
}

// importTwice imports an answer through crashes, and once more.
func importTwice(t *testing.T, r *rand.Rand, want map[string]importedPeer, source string, answer any) {
	t.Helper()
	text, err := json.Marshal(answer)
	require.NoError(t, err)
	s, file := newImportLedger(t), writeFile(t, string(text))
	s.runOK(t, "peers", "provision", "--yes") // it creates the ledger
	importWithCrashes(t, r, s, source, file)
	requireImported(t, s, want)
	before := s.runOK(t, "statement", "--own", "--asset", "A0/0", "--json") + s.runOK(t, "balances", "--json")
	s.runOK(t, "import", source, file, "--reason", "9", "--yes")
	require.Equal(t, before, s.runOK(t, "statement", "--own", "--asset", "A0/0", "--json")+s.runOK(t, "balances", "--json"))
	requireImported(t, s, want)
}
