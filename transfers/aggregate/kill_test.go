//go:build unix

package aggregate_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

const killFolder = "PEERLEDGER_TEST_KILL_FOLDER"

// Processes with the ledger and the journal in a folder are killed while they fulfill packets. What
// they acknowledged on their standard output is booked once. PEERLEDGER_ROUND_KILLS sets their
// number.
func TestKilledProcesses(t *testing.T) {
	if folder := os.Getenv(killFolder); folder != "" {
		fulfillUntilKilled(t, folder)
		return
	}
	t.Parallel()
	kills := 3
	if text := os.Getenv("PEERLEDGER_ROUND_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	folder := t.TempDir()
	acknowledged := 0
	for life := range kills {
		acknowledged += runKilledProcess(t, folder, 20+life*37%300)
	}
	f, r := openKilled(t, folder)
	require.NoError(t, r.Close(t.Context()))
	figures := f.figures(t)
	var owed, revenue int
	_, err := fmt.Sscanf(figures[f.peers[0].String()], "owed 0 owes %d", &owed)
	require.NoError(t, err)
	revenue, err = strconv.Atoi(figures["revenue in USD"])
	require.NoError(t, err)
	// Each life may have fulfilled one packet more than it could tell.
	require.GreaterOrEqual(t, revenue, acknowledged)
	require.LessOrEqual(t, revenue, acknowledged+kills)
	require.Equal(t, 100*revenue, owed)
	require.NoError(t, f.ledger.Close())
}

// runKilledProcess starts a process and kills it after some acknowledgements. It returns their
// number.
func runKilledProcess(t *testing.T, folder string, after int) (acknowledged int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKilledProcesses$") // kills when ctx ends
	command.Env = append(os.Environ(), killFolder+"="+folder)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		require.Equal(t, "fulfilled", lines.Text())
		if acknowledged++; acknowledged == after {
			require.NoError(t, command.Process.Kill())
		}
	}
	require.Error(t, command.Wait(), "killed")
	require.GreaterOrEqual(t, acknowledged, after)
	return acknowledged
}

func openKilled(t *testing.T, folder string) (*fixture, *aggregate.Recorder) {
	t.Helper()
	l, err := embedded.Open(filepath.Join(folder, "ledger"))
	require.NoError(t, err)
	f := newFixture(t, l, 1_000_000_000)
	f.folder = filepath.Join(folder, "journal")
	return f, f.open(t)
}

// fulfillUntilKilled is the process: it says of each packet that it is fulfilled.
func fulfillUntilKilled(t *testing.T, folder string) {
	t.Helper()
	f, r := openKilled(t, folder)
	for {
		held, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 99))
		require.NoError(t, err)
		_, err = r.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		fmt.Println("fulfilled")
	}
}
