//go:build unix

package realtest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// engineConfig configures testdata/engine/engine.mjs.
type engineConfig struct {
	Name      string `json:"name"`
	Peer      string `json:"peer"`
	Port      int    `json:"port"`
	Connector string `json:"connector"`
	Redis     int    `json:"redis"`
	Database  int    `json:"database"`
	PayTime   int    `json:"payTime"` // milliseconds
}

// findEngine returns the paths of Node and of the folder with settlement-core, or skips the test.
func findEngine(t *testing.T) (node, folder string) {
	t.Helper()
	folder = os.Getenv("PEERLEDGER_SETTLEMENT_CORE")
	if folder == "" {
		t.Skip("needs ilp-settlement-core: .ci/install settlement_core && export PEERLEDGER_SETTLEMENT_CORE=\"$PWD/.bin/settlement-core\" in the root (an absolute path)")
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "ilp-settlement-core")); err != nil {
		t.Skipf("needs ilp-settlement-core: .ci/install settlement_core, and PEERLEDGER_SETTLEMENT_CORE must be an absolute path (%v)", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("needs Node: install it (Debian: nodejs; %v)", err)
	}
	return node, folder
}

// newEngine makes a settlement engine with settlement-core's own log.
func newEngine(t *testing.T, node, folder string, config engineConfig) *program {
	t.Helper()
	text, err := json.Marshal(config)
	require.NoError(t, err)
	return newProgram(t, "engine-of-"+config.Name, []string{"DEBUG=settlement-core"},
		node, filepath.Join("testdata", "engine", "engine.mjs"), folder, string(text))
}

var reportLine = regexp.MustCompile(`Notifying connector to credit settlement: amountToCredit=(\S+) account=(\S+) settlementId=(\S+)`)

// readReports reads the reports of an account's payments out of settlement-core's log: the amounts by payment, one for each
// time that settlement-core began to report the payment.
func readReports(log, account string) map[string][]string {
	reports := map[string][]string{}
	for _, match := range reportLine.FindAllStringSubmatch(log, -1) {
		if match[2] == account {
			reports[match[3]] = append(reports[match[3]], match[1])
		}
	}
	return reports
}

func formatURL(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
