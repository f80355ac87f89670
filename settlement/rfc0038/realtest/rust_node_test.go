//go:build unix

package realtest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/ilp"
)

// rustNode is an ilp-node of interledger-rs, a connector. Its accounts are in EUR, its store is in Redis.
type rustNode struct {
	t       *testing.T
	version rustVersion
	url     string // of packets and of the operator's requests
	reports int    // port for a settlement engine's reports
	calls   http.Client
}

// rustVersion is what differs between the versions of ilp-node, as far as the test sees it.
type rustVersion struct {
	name string // as --version begins
	path string // of the program
	// packets is the path for an account's packets, and token the one in front of them, with the account's name for "NAME".
	packets, token string
	store          string  // the setting of Redis's URL
	unit           float64 // of balances, in units of the account
}

// Version 1.0.0 has no release. Build it by hand from its repository, commit 544b6db.
var rustVersions = []rustVersion{
	{name: "ilp-node 0.6.0", packets: "/ilp", token: "NAME:NAME", store: "redis_url", unit: 1},
	{name: "ilp-node 1.0.0", packets: "/accounts/NAME/ilp", token: "NAME", store: "database_url", unit: 100},
}

const (
	nodeDatabase = 3 // of Redis
	nodeAddress  = "test.rust"
	nodeToken    = "operator"
)

// findRustNode finds the ilp-node of the environment, or skips the test.
func findRustNode(t *testing.T) rustVersion {
	t.Helper()
	path := os.Getenv("PEERLEDGER_ILP_NODE")
	if path == "" {
		t.Skip("needs ilp-node 0.6.0: .ci/install ilp_node && export PEERLEDGER_ILP_NODE=\"$PWD/.bin/ilp-node\" in the root (an absolute path)")
	}
	answer, err := exec.CommandContext(t.Context(), path, "--version").Output()
	require.NoError(t, err, "PEERLEDGER_ILP_NODE")
	for _, known := range rustVersions {
		if strings.HasPrefix(string(answer), known.name) { // 0.6.0 prints its version twice
			t.Logf("took part: %s", known.name)
			known.path = path
			return known
		}
	}
	require.FailNow(t, "another ilp-node", "the test does not know the habits of %s", answer)
	return rustVersion{}
}

// startRustNode starts an ilp-node, and waits until it takes requests.
func startRustNode(t *testing.T, version rustVersion, redis redisServer) *rustNode {
	t.Helper()
	port := freePort(t)
	n := &rustNode{t: t, version: version, url: formatURL(port), reports: freePort(t), calls: http.Client{Timeout: callTimeout}}
	config, err := json.Marshal(map[string]string{
		"ilp_address": nodeAddress, "secret_seed": strings.Repeat("5e", 32), "admin_auth_token": nodeToken,
		version.store:                 fmt.Sprintf("redis://127.0.0.1:%d/%d", redis.port, nodeDatabase),
		"http_bind_address":           fmt.Sprintf("127.0.0.1:%d", port),
		"settlement_api_bind_address": fmt.Sprintf("127.0.0.1:%d", n.reports),
	})
	require.NoError(t, err)
	process := newProgram(t, "ilp-node", []string{"RUST_LOG=info"}, version.path)
	process.given = string(config)
	process.start("Settlement API listening")
	t.Cleanup(n.calls.CloseIdleConnections)
	return n
}

// nodeAccount is an account as ilp-node takes it.
type nodeAccount struct {
	Name            string `json:"username"`
	Address         string `json:"ilp_address"`
	Asset           string `json:"asset_code"`
	Scale           uint8  `json:"asset_scale"`
	URL             string `json:"ilp_over_http_url"` // for packets to the account
	TokenIn         string `json:"ilp_over_http_incoming_token"`
	TokenOut        string `json:"ilp_over_http_outgoing_token"`
	Engine          string `json:"settlement_engine_url,omitempty"`
	SettleThreshold int64  `json:"settle_threshold,omitempty"`
	SettleTo        int64  `json:"settle_to"`
}

// addAccount adds an account in EUR, and returns its id.
func (n *rustNode) addAccount(a nodeAccount) string {
	n.t.Helper()
	a.Asset, a.Scale, a.TokenIn, a.TokenOut = eur.Code, eur.Scale, a.Name, "rust:"+a.Name
	body, err := json.Marshal(a)
	require.NoError(n.t, err)
	var made struct {
		ID string `json:"id"`
	}
	n.ask(http.MethodPost, "/accounts", body, &made)
	require.NotEmpty(n.t, made.ID)
	return made.ID
}

// readBalance reads what the node owes an account, less what it is owed, in the account's units.
func (n *rustNode) readBalance(name string) int64 {
	n.t.Helper()
	var read struct {
		Balance float64 `json:"balance"`
	}
	n.ask(http.MethodGet, "/accounts/"+name+"/balance", nil, &read)
	return int64(math.Round(read.Balance * n.version.unit))
}

// ask sends an operator's request, and reads the answer into out.
func (n *rustNode) ask(method, path string, body []byte, out any) {
	n.t.Helper()
	answer, err := n.call(context.WithoutCancel(n.t.Context()), method, path, nodeToken, "application/json", body)
	require.NoError(n.t, err)
	require.NoError(n.t, json.Unmarshal(answer, out), "%s", answer)
}

// sendPacket sends an account's packet by ILP over HTTP (RFC 0035), and returns the answer.
func (n *rustNode) sendPacket(ctx context.Context, account string, packet []byte) ([]byte, error) {
	forAccount := strings.NewReplacer("NAME", account)
	path, token := forAccount.Replace(n.version.packets), forAccount.Replace(n.version.token)
	return n.call(ctx, http.MethodPost, path, token, "application/octet-stream", packet)
}

func (n *rustNode) call(ctx context.Context, method, path, token, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, n.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", contentType)
	response, err := n.calls.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("ilp-node answers %s %s with %s: %s", method, path, response.Status, answer)
	}
	return answer, err
}

// Packets of the test are fulfilled with 32 zero bytes. A receiver rejects those with this data.
var rejectMe = []byte("reject me")

func newTestPacket(destination string, amount uint64, data []byte) ilp.Prepare {
	return ilp.Prepare{
		Amount: amount, ExpiresAt: time.Now().Add(callTimeout), Condition: sha256.Sum256(make([]byte, sha256.Size)),
		Destination: destination, Data: data,
	}
}

// answerPacket answers a packet at its receiver.
func answerPacket(p ilp.Prepare) ilp.Packet {
	if bytes.Equal(p.Data, rejectMe) {
		return ilp.Reject{Code: "F99", TriggeredBy: p.Destination, Message: "as the packet asks for"}
	}
	return ilp.Fulfill{}
}

// handleILP serves ILP over HTTP.
func handleILP(answer func(ctx context.Context, prepare ilp.Prepare, packet []byte) (ilp.Packet, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		packet, err := io.ReadAll(r.Body)
		var decoded, answered ilp.Packet
		if err == nil {
			decoded, err = ilp.Decode(packet)
		}
		if prepare, is := decoded.(ilp.Prepare); is {
			answered, err = answer(r.Context(), prepare, packet)
		} else if err == nil {
			err = fmt.Errorf("the packet is a %v", decoded.Type())
		}
		var body []byte
		if err == nil {
			body, err = answered.AppendBinary(nil)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body)
	}
}
