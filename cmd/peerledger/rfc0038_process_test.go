//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// engineProcess is an engine in a process of its own, on one port over all its lives.
type engineProcess struct {
	t       *testing.T
	args    []string
	url     string
	process *exec.Cmd
}

// start starts the engine, again after a kill. Between its lives another program may have its port for a
// moment, so start tries more than once.
func (p *engineProcess) start() {
	p.t.Helper()
	require.Eventually(p.t, p.tryStart, patience, 10*time.Millisecond)
}

// tryStart reports whether the engine is ready.
func (p *engineProcess) tryStart() bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	address := "127.0.0.1:0"
	if p.url != "" {
		address = strings.TrimPrefix(p.url, "http://")
	}
	p.process = exec.Command(self, append([]string{"rfc0038", "engine", "--json", "--address", address}, p.args...)...)
	p.process.Env = append(os.Environ(), runAsEnv+"=peerledger")
	out, err := p.process.StdoutPipe()
	if err != nil || p.process.Start() != nil {
		return false
	}
	var ready engineReady
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&ready); err != nil {
		p.kill()
		return false
	}
	p.url = ready.URL
	return true
}

func (p *engineProcess) kill() {
	_ = p.process.Process.Kill() // it may have ended
	_ = p.process.Wait()
}

// An engine that is killed at random pays each settlement that it took, and no key twice.
func TestKilledEnginePaysOnce(t *testing.T) {
	t.Parallel()
	folder, seed := t.TempDir(), rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	engine := &engineProcess{t: t, args: []string{"--folder", filepath.Join(folder, "store"), "--rail", filepath.Join(folder, "rail"), "--peer", "alice=b/c"}}
	engine.start()
	defer func() { engine.kill() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := engine.url
	postUntilTaken(ctx, t, url+"/accounts", `{"id":"alice"}`, "")
	var work sync.WaitGroup
	total := new(big.Int)
	for n := range 40 {
		units := random.Int64N(5000)
		total.Add(total, big.NewInt(units))
		work.Go(func() {
			postUntilTaken(ctx, t, url+"/accounts/alice/settlements", fmt.Sprintf(`{"amount":"%d","scale":9}`, units), fmt.Sprint("key ", n))
		})
	}
	for range 6 {
		<-time.After(time.Duration(random.IntN(20)) * time.Millisecond) // the moment of a kill is random
		engine.kill()
		engine.start()
	}
	work.Wait()
	require.NoError(t, ctx.Err())
	want := new(big.Int).Quo(total, big.NewInt(1000)) // whole units of scale 6
	rail, err := enginetest.OpenRail(filepath.Join(folder, "rail"))
	require.NoError(t, err)
	defer rail.Close() //nolint:errcheck // a test's file
	paid, keys := new(big.Int), map[string]bool{}
	for seen := 0; paid.Cmp(want) < 0; {
		list, err := rail.WaitFrom(ctx, seen)
		require.NoError(t, err, "paid %v of %v", paid, want)
		for _, p := range list {
			require.False(t, keys[p.Key], p.Key)
			keys[p.Key] = true
			paid.Add(paid, p.Amount.Amount)
		}
		seen += len(list)
	}
	require.Equal(t, want, paid)
}

// postUntilTaken repeats a request under its key until the answer is a 2xx.
func postUntilTaken(ctx context.Context, t *testing.T, target, body, key string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Idempotency-Key", key)
		response, err := client.Do(r)
		if err != nil {
			<-time.After(time.Millisecond) // the engine starts
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode/100 == 2 {
			return
		}
	}
}
