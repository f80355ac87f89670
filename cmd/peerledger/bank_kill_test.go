//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bankKills is how many imports are killed, and fewer with the race detector.
var bankKills = 20

// startImport starts a process of settle import.
func (s testLedger) startImport(t *testing.T, file string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	process := exec.Command(self, "--config", s.config, "--folder", s.folder, "settle", "import", file, "--yes")
	process.Env = append(os.Environ(), runAsEnv+"=peerledger")
	require.NoError(t, process.Start())
	return process
}

// Imports are killed at random moments, and run again. Each payment is booked once. PEERLEDGER_BANK_KILLS is the number of kills.
func TestBankImportKilled(t *testing.T) {
	t.Parallel()
	kills := bankKills
	if text := os.Getenv("PEERLEDGER_BANK_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s, state := newBankLedger(t)
	dir := t.TempDir()
	whole, lines, payments, cents := time.Duration(0), 0, 0, 0
	for killed := 0; killed < kills; {
		// Each file repeats the last rows of the file before, as banks' exports do.
		var text strings.Builder
		text.WriteString("date,amount,account,reference\n")
		for n := max(0, lines-10); n < lines+40; n++ {
			fmt.Fprintf(&text, "2026-11-02,%d.%02d,TEST-ALICE,r%d\n", n/100, n%99+1, n)
		}
		for n := lines; n < lines+40; n++ {
			payments, cents = payments+1, cents+n/100*100+n%99+1
		}
		lines += 40
		file := filepath.Join(dir, fmt.Sprintf("%d.csv", lines))
		require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
		for {
			begin := time.Now()
			process := s.startImport(t, file)
			if whole == 0 { // the first import ends by itself, and tells how long one takes
				require.NoError(t, process.Wait())
				whole = time.Since(begin)
				break
			}
			timer := time.AfterFunc(time.Duration(random.Int64N(int64(whole*5/4))), func() { _ = process.Process.Kill() })
			err := process.Wait()
			if timer.Stop() || err == nil {
				require.NoError(t, err)
				break
			}
			killed++
		}
	}
	text, err := os.ReadFile(state)
	require.NoError(t, err)
	var books bankBooks
	require.NoError(t, json.Unmarshal(text, &books))
	require.Len(t, books.Accounts["TEST USD"].Booked, payments)
	rows := 0
	for _, row := range parseRows[map[string]any](t, s.runOK(t, "statement", "alice@USD", "-o", "jsonl")) {
		if row["kind"] == "settlement" {
			rows++
		}
	}
	t.Logf("%d kills, %d payments", kills, payments)
	require.Equal(t, payments, rows)
	require.Contains(t, s.runOK(t, "balances", "alice@USD", "--json"), fmt.Sprintf(`"settled_in":"%d.%02d"`, cents/100, cents%100))
	s.runOK(t, "trial-balance")
}
