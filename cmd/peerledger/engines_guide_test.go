package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// guideChapter returns a chapter of docs/settlement.md.
func guideChapter(t *testing.T, heading string) string {
	t.Helper()
	_, chapter, found := strings.Cut(string(readFileOf(t, "../../docs/settlement.md")), "\n"+heading+"\n")
	require.True(t, found, heading)
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	return chapter
}

// Each step of docs/settlement.md, "Run an existing engine", does what the guide promises.
func TestGuideOfEngines(t *testing.T) {
	t.Parallel()
	chapter := guideChapter(t, "## Run an existing engine")
	var steps []string
	for _, m := range regexp.MustCompile("(?m)^    peerledger (.*)$").FindAllStringSubmatch(chapter, -1) {
		steps = append(steps, m[1])
	}
	require.Len(t, steps, 8)
	s := newTestLedger(t)
	s.addToConfig(t, "engine_reports: {address: \"127.0.0.1:0\"}\n")

	// Step 1; the connector's address is known only later, so the engine is told by restarting on one store.
	store, rail := filepath.Join(t.TempDir(), "bank"), filepath.Join(t.TempDir(), "rail")
	engineLine := splitLine(steps[0])
	require.Equal(t, []string{"rfc0038", "engine", "--address", "127.0.0.1:3000", "--connector", "http://127.0.0.1:7771"}, engineLine[:6])
	engineArgs := strings.Fields(replaceOnce(t, strings.Join(engineLine[6:], " "), "--folder bank", "--folder "+store+" --rail "+rail))
	reports, forwardTo := newForwarder(t)
	url := startEngine(t, append(engineArgs, "--connector", reports)...)

	// Step 2.
	check := splitLine(strings.ReplaceAll(steps[1], "http://127.0.0.1:3000", url))
	require.Equal(t, statusDone, runApp(t, check...).status)
	add := splitLine(strings.ReplaceAll(steps[2], "http://127.0.0.1:3000", url))
	require.Contains(t, s.runOffline(t, add...), "Would create these accounts at engine bank")
	require.Equal(t, steps[2]+" --yes", steps[3])
	require.Contains(t, s.runOffline(t, append(add, "--yes")...), "Done: created these accounts at engine bank")

	// Step 3.
	require.Equal(t, "engines run", steps[4])
	s.forwardPacket(t, 3001)
	r := s.startEngines(t)
	forwardTo(r.ready.Reports)
	r.waitFor(t, "msg=paid peer=bob")
	payment := `{"account":"1-alice","id":"p1","amount":{"amount":"4000","scale":2}}`
	response, err := http.Post(url+"/test/payments", "application/json", strings.NewReader(payment)) //nolint:noctx // a test
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	r.waitFor(t, "msg=received peer=alice")
	require.Equal(t, statusDone, r.stop())

	// Step 4.
	require.Contains(t, s.runOffline(t, splitLine(steps[5])...), "│ bank ")
	require.Contains(t, s.runOffline(t, splitLine(steps[6])...), "No settlement waits for an operator")
	require.Contains(t, s.runOK(t, splitLine(steps[7])...), "No order is open.")
	content, err := os.ReadFile(rail)
	require.NoError(t, err)
	require.Contains(t, string(content), `"to":{"engine":"elsewhere","account":"us"},"amount":{"amount":"30000000","scale":6}`)
}

// newForwarder returns a URL whose requests go to another base URL, which may be set later.
func newForwarder(t *testing.T) (url string, forwardTo func(string)) {
	t.Helper()
	target := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base := <-target
		target <- base
		r2, err := http.NewRequestWithContext(r.Context(), r.Method, base+r.URL.Path, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r2.Header, r2.Close = r.Header.Clone(), true
		answer, err := http.DefaultTransport.RoundTrip(r2)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_ = answer.Body.Close()
		w.WriteHeader(answer.StatusCode)
	}))
	t.Cleanup(server.Close)
	return server.URL, func(base string) { target <- base }
}

// The configuration of the guide is valid, and the statuses of its table lead to the listed states.
func TestConfigurationOfTheGuide(t *testing.T) {
	t.Parallel()
	chapter := guideChapter(t, "## Run an existing engine")
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(chapter, -1)
	require.Len(t, blocks, 1)
	before, _, _ := strings.Cut(configuration, "peers:")
	cfg, err := parseConfig([]byte(before + blocks[0][1]))
	require.NoError(t, err)
	require.Len(t, cfg.Engines, 2)
	var found []string
	for _, p := range cfg.Peers {
		asset, err := cfg.findAsset(p.Asset)
		require.NoError(t, err)
		e, ok := cfg.findEngine(p, asset)
		found = append(found, fmt.Sprint(p.ID, " ", e.Name, ok))
	}
	require.Equal(t, []string{"carol chaintrue", "dave false"}, found)
	ids, err := cfg.newAccountIDs()
	require.NoError(t, err)
	account, err := ids.Account(cfg.Peers[0].EngineAccount)
	require.NoError(t, err)
	require.Equal(t, "carol", account.Peer())
}

// The commands of the guide close stuck settlements.
func TestStuckSettlementsOfTheGuide(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindStringSubmatch(guideChapter(t, "### Stuck settlements"))
	require.Len(t, block, 2)
	for line := range strings.Lines(block[1]) {
		s := newTestLedger(t)
		s.addToConfig(t, "engines:\n  - {name: bank, url: \""+answerWith(t, http.StatusConflict, "seen")+"\", assets: [USD]}\n")
		s.forwardPacket(t, 3001)
		require.Equal(t, statusUnknown, s.runCommand(t, "settle", "now", "bob@USD", "--yes").status)
		order := readRows[orderRow](t, s, "orders")[0].Order
		command, is := strings.CutPrefix(strings.ReplaceAll(line, "ORDER", order), "peerledger ")
		require.True(t, is)
		s.runOK(t, splitLine(command)...)
		require.Empty(t, readRows[orderRow](t, s, "orders"))
	}
}
