package replay

import (
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/ilp"
)

// script builds a trace.
type script struct {
	t        *testing.T
	lines    []string
	newestID int
	paths    map[int][2]string
}

// asset is a peer in the config line.
type asset struct {
	peer, code                string
	scale                     int
	line                      string // maximum
	settleThreshold, settleTo string
}

func newScript(t *testing.T, assets ...asset) *script {
	t.Helper()
	s := &script{t: t, paths: map[int][2]string{}}
	peers := map[string]any{}
	for _, a := range assets {
		balance := map[string]string{"maximum": a.line}
		if a.settleThreshold != "" {
			balance["settleThreshold"], balance["settleTo"] = a.settleThreshold, a.settleTo
		}
		peers[a.peer] = map[string]any{"assetCode": a.code, "assetScale": a.scale, "balance": balance}
	}
	s.addLine(map[string]any{"ev": "config", "peers": peers})
	return s
}

func (s *script) addLine(line map[string]any) {
	s.t.Helper()
	line["ms"] = len(s.lines)
	text, err := json.Marshal(line)
	require.NoError(s.t, err)
	s.lines = append(s.lines, string(text)+"\n")
}

func (s *script) addPacket(event, peer string, id int, packet encoding.BinaryAppender) {
	s.t.Helper()
	raw, err := packet.AppendBinary(nil)
	require.NoError(s.t, err)
	s.addLine(map[string]any{"ev": event, "id": id, "peer": peer, "packet": base64.StdEncoding.EncodeToString(raw)})
}

// forwardPacket adds a packet that arrives and is forwarded, and returns its id.
func (s *script) forwardPacket(from, to string, in, out uint64) int {
	s.t.Helper()
	s.newestID++
	s.paths[s.newestID] = [2]string{from, to}
	expires := time.Date(2026, 11, 23, 0, 0, 30, 0, time.UTC)
	prepare := ilp.Prepare{
		Amount: in, ExpiresAt: expires, Condition: sha256.Sum256(make([]byte, 32)), Destination: "test.hub." + to,
	}
	s.addPacket("in", from, s.newestID, prepare)
	prepare.Amount, prepare.ExpiresAt = out, expires.Add(-time.Second)
	s.addPacket("out", to, s.newestID, prepare)
	return s.newestID
}

func (s *script) answerPacket(id int, packet encoding.BinaryAppender) {
	s.t.Helper()
	s.addPacket("out_reply", s.paths[id][1], id, packet)
	s.addPacket("in_reply", s.paths[id][0], id, packet)
}

func (s *script) fulfillPacket(id int) { s.t.Helper(); s.answerPacket(id, ilp.Fulfill{}) }

func (s *script) rejectPacket(id int) {
	s.t.Helper()
	s.answerPacket(id, ilp.Reject{Code: "F99", TriggeredBy: "test.hub"})
}

func (s *script) settleIn(peer string, amount int) {
	s.t.Helper()
	s.addLine(map[string]any{"ev": "settle_in", "peer": peer, "amount": fmt.Sprint(amount)})
}

// finishTrace adds the balances, with the trace's signs, and returns the file.
func (s *script) finishTrace(balances map[string]int) string {
	s.t.Helper()
	for peer, balance := range balances {
		s.addLine(map[string]any{"ev": "balance", "peer": peer, "balance": fmt.Sprint(balance)})
	}
	return writeTrace(s.t, strings.Join(s.lines, ""))
}

// The connector forwarded each packet because the packet before it had raised its sender's
// headroom. So no packet may be refused, however slow the ledger is.
func TestPacketThatGivesRoomIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScript(t, asset{peer: "a", code: "USD", line: "10"}, asset{peer: "b", code: "USD", line: "10"})
	for range 50 {
		s.fulfillPacket(s.forwardPacket("a", "b", 10, 10))
		s.fulfillPacket(s.forwardPacket("b", "a", 20, 20))
		s.rejectPacket(s.forwardPacket("a", "b", 20, 20))
		s.fulfillPacket(s.forwardPacket("a", "b", 10, 10))
	}
	file := s.finishTrace(map[string]int{"a": 0, "b": 0})
	for range 10 {
		_, err := runReplay(t, file)
		require.NoError(t, err)
	}
}

// The payments of our engine depend on the trace alone: here on a packet of the payee that is in
// flight and uses up headroom.
func TestOurEngineWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := newScript(t,
		asset{peer: "a", code: "USD", line: "0", settleThreshold: "-100", settleTo: "0"},
		asset{peer: "b", code: "USD", line: "1000"})
	s.fulfillPacket(s.forwardPacket("b", "a", 50, 50))
	flying := s.forwardPacket("a", "b", 50, 50)
	s.fulfillPacket(s.forwardPacket("b", "a", 100, 100))
	s.rejectPacket(flying)
	file := s.finishTrace(map[string]int{"a": -150, "b": 150})
	for range 20 {
		got, err := runReplay(t, "-settle", "engine", "-twice", file)
		require.NoError(t, err)
		require.Contains(t, got, "payments of our engine: 1,")
		require.Contains(t, got, "a: order 1, 100 units of USD/0\n")
	}
}

// A peer's payment is a prepayment and does not make the peer due: packets earned the peer 70, and
// the other 50 are prepaid.
func TestOurEngineDoesNotPayBackIncomingSettlements(t *testing.T) {
	t.Parallel()
	s := newScript(t,
		asset{peer: "a", code: "USD", line: "100", settleThreshold: "-100", settleTo: "0"},
		asset{peer: "b", code: "USD", line: "1000"})
	s.fulfillPacket(s.forwardPacket("a", "b", 80, 80))
	s.fulfillPacket(s.forwardPacket("b", "a", 150, 150))
	s.settleIn("a", 50)
	s.fulfillPacket(s.forwardPacket("b", "a", 30, 30))
	got, err := runReplay(t, "-settle", "engine", "-twice", s.finishTrace(map[string]int{"a": -150, "b": 100}))
	require.NoError(t, err)
	require.Contains(t, got, "payments of our engine: 1,")
	require.Contains(t, got, "a: order 1, 100 units of USD/0\n")
}

// Assets with two codes are traded at a rate other than 1.
func TestTwoAssetCodes(t *testing.T) {
	t.Parallel()
	s := newScript(t, asset{peer: "a", code: "USD", scale: 2, line: "10"}, asset{peer: "b", code: "JPY", line: "0"})
	s.fulfillPacket(s.forwardPacket("a", "b", 10, 1500))
	_, err := runReplay(t, s.finishTrace(map[string]int{"a": 10, "b": -1500}))
	require.NoError(t, err)
}

// Two scales of one asset code are traded at 1.
func TestPacketThatPaysMoreThanItBrings(t *testing.T) {
	t.Parallel()
	s := newScript(t, asset{peer: "a", code: "USD", scale: 2, line: "10"}, asset{peer: "b", code: "USD", line: "0"})
	s.fulfillPacket(s.forwardPacket("a", "b", 10, 1))
	file := s.finishTrace(map[string]int{"a": 10, "b": -1})
	_, err := runReplay(t, file)
	require.ErrorIs(t, err, errRate)
	require.ErrorContains(t, err, file+":3: ")
}

func TestEngineNeverPaysAhead(t *testing.T) {
	t.Parallel()
	s := newScript(t, asset{peer: "a", code: "USD", line: "10", settleThreshold: "5", settleTo: "5"})
	_, err := runReplay(t, "-settle", "engine", s.finishTrace(map[string]int{"a": 0}))
	require.ErrorContains(t, err, `peer "a" is paid before it has earned anything`)
}
