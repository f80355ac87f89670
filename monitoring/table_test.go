package monitoring_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/monitoring/consolemetrics"
	"github.com/peerledger/peerledger/settlement"
)

// catalogue is a registerer that notes the labels of each metric.
type catalogue struct {
	prometheus.Registerer
	labels map[string][]string
}

var description = regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)

func (c catalogue) Register(collector prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc, 200)
	collector.Describe(descriptions)
	close(descriptions)
	for d := range descriptions {
		m := description.FindStringSubmatch(d.String())
		c.labels[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
	}
	return nil
}

// row is a line of the table of metrics.
type row struct {
	labels []string
	about  string
}

// readTable reads the table of metrics in docs/monitoring.md.
func readTable(t *testing.T) map[string]row {
	t.Helper()
	text, err := os.ReadFile("../docs/monitoring.md")
	require.NoError(t, err)
	rows := map[string]row{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(peerledger_\\w+)` \\| ([^|]*)\\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = row{strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' }), m[3]}
	}
	return rows
}

// The table of metrics lists every metric with its labels, and nothing more.
func TestTableOfMetrics(t *testing.T) {
	t.Parallel()
	known := catalogue{labels: map[string][]string{}}
	_, err := monitoring.New(known, monitoring.Config{})
	require.NoError(t, err)
	registerCluster(t, known)
	require.NoError(t, consolemetrics.Register(known, nil))
	rows := readTable(t)
	for name, labels := range known.labels {
		require.Contains(t, rows, name)
		documented := rows[name].labels
		if slices.Contains(documented, "asset") { // asset stands for the label ledger too
			documented = append(documented, "ledger")
		}
		require.ElementsMatch(t, labels, documented, name)
	}
	for name := range rows {
		require.Contains(t, known.labels, name, "there is no such metric")
	}
}

// The label values in the table exist, and the table has all of them, except for the causes of failures.
func TestTableOfLabelValues(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{
		Rails: settlement.Rails{Default: railOf("chain", never)}, Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(100)}},
	})
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	rows := readTable(t)
	for name, complete := range map[string]bool{
		"peerledger_recorder_operations_total":      true,
		"peerledger_settlement_order_events_total":  true,
		"peerledger_settlement_orders_voided_total": true,
		"peerledger_settlement_failures_total":      false,
		"peerledger_scrape_errors_total":            true,
	} {
		var values []string
		for series := range c.values(t, name) {
			values = append(values, strings.TrimSuffix(series, ",chain"))
		}
		var named []string
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(rows[name].about, -1) {
			named = append(named, m[1])
		}
		require.NotEmpty(t, named, name)
		if complete {
			require.ElementsMatch(t, values, named, name)
		} else {
			require.Subset(t, values, named, name)
		}
	}
}
