//go:build unix

// Package realtest has the test of settlement/rfc0038 with a real settlement engine. It has no code for users.
package realtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// setupEnv has a connector's setup. A process with this variable is a connector.
const setupEnv = "PEERLEDGER_REAL_CONNECTOR"

func TestMain(m *testing.M) {
	text := os.Getenv(setupEnv)
	if text == "" {
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // the connectors end often
		os.Exit(m.Run())
	}
	var s setup
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		err = runConnector(context.Background(), s, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, s.Name, err)
		os.Exit(1)
	}
}

// pair is two connectors, each with an engine, and the engines' rail.
type pair struct {
	t          *testing.T
	random     *rand.Rand
	redis      redisServer
	setups     [2]setup
	engines    [2]*program
	connectors [2]*program
	kills      map[string]int
	pauses     int // of Redis
}

// logTakingPart logs the programs that took part, for the gate. The engine's ready line has its versions.
func logTakingPart(t *testing.T, ready string, redis redisServer) {
	t.Helper()
	t.Logf("took part: %s", strings.TrimPrefix(ready, "ready "))
	t.Logf("took part: redis-server %s", redis.version)
}

// databaseOf returns the database of settlement-core's store of engine i. The rail is database 0.
func databaseOf(i int) int { return i + 1 }

// startPair starts all programs, and waits until the rail has moved a payment each way.
func startPair(t *testing.T, seed uint64) *pair {
	t.Helper()
	node, modules := findEngine(t)
	p := &pair{t: t, random: rand.New(rand.NewPCG(seed, 0)), redis: startRedis(t), kills: map[string]int{}}
	folder := t.TempDir()
	names := [2]string{"ada", "bob"}
	for i, name := range names {
		enginePort, reportPort := freePort(t), freePort(t)
		p.setups[i] = setup{
			Name: name, Peer: names[1-i], Folder: folder, Engine: formatURL(enginePort), Port: reportPort, Seed: seed, First: i == 0,
		}
		p.engines[i] = newEngine(t, node, modules, engineConfig{
			Name: name, Peer: names[1-i], Port: enginePort, Connector: formatURL(reportPort),
			Redis: p.redis.port, Database: databaseOf(i), PayTime: 50,
		})
		text, err := json.Marshal(p.setups[i])
		require.NoError(t, err)
		p.connectors[i] = newProgram(t, "connector-"+name, []string{setupEnv + "=" + string(text)}, os.Args[0])
	}
	for i := range names {
		ready := p.engines[i].start("ready ")
		if i == 0 {
			logTakingPart(t, ready, p.redis)
		}
		p.connectors[i].start("ready")
	}
	for _, name := range names {
		p.redis.waitForEntry(name + ":payments")
	}
	return p
}

const (
	// maxLife bounds the time between a start and the next disturbance.
	maxLife = 400 * time.Millisecond
	// pauseTime is how long Redis is paused.
	pauseTime = 1500 * time.Millisecond
)

// disturb kills programs at a random moment, and starts them again: an engine, a connector, or a connector with its engine.
// Every few times it pauses Redis before, so that both engines answer nothing, and carry out later what they were asked.
func (p *pair) disturb() (kills int) {
	p.t.Helper()
	<-time.After(time.Duration(p.random.Int64N(int64(maxLife))))
	if p.random.IntN(8) == 0 {
		p.redis.server.pause(pauseTime)
		p.pauses++
	}
	i := p.random.IntN(2)
	victims := [][]*program{{p.engines[i]}, {p.connectors[i]}, {p.engines[i], p.connectors[i]}}[p.random.IntN(3)]
	for _, victim := range victims {
		victim.kill()
		p.kills[victim.name]++
	}
	for _, victim := range victims {
		victim.start("ready")
	}
	return len(victims)
}

// finish ends the traffic, and lets all payments come to an end.
func (p *pair) finish() {
	p.t.Helper()
	both := func(programs [2]*program, command string) {
		for _, program := range programs {
			program.ask(command)
		}
	}
	both(p.connectors, "stop")
	both(p.connectors, "settle")
	both(p.engines, "pay")
	both(p.engines, "report")
	for _, connector := range p.connectors {
		connector.end()
	}
}

// TestSettlesThroughRealEngines runs two connectors, each with a real settlement engine. The connectors trade packets and
// settle, while connectors and engines are killed at random moments. No unit is lost or doubled by us: what a connector
// books as paid is what its engine has accepted, and what the other connector books as received is what its engine
// has reported. What differs between accepted and reported is lost or repeated by the engine.
//
// PEERLEDGER_REAL_KILLS sets the number of kills, PEERLEDGER_SEED the seed.
func TestSettlesThroughRealEngines(t *testing.T) {
	t.Parallel()
	kills := 6
	if text := os.Getenv("PEERLEDGER_REAL_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	p := startPair(t, ledgertest.Seed(t))
	for done := 0; done < kills; {
		done += p.disturb()
	}
	p.finish()
	t.Logf("killed and started again: %v; Redis paused: %d", p.kills, p.pauses)
	p.audit()
}
