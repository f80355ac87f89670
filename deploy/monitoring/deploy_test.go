// Package monitoring_test checks the files of this directory: they must be readable and ask only
// for metrics that exist.
package monitoring_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/monitoring/consolemetrics"
)

// alertFile is the content of alerts.yml.
type alertFile struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// dashboard has the checked fields of grafana-dashboard.json.
type dashboard struct {
	Title      string
	Templating struct {
		List []struct{ Name, Type string }
	}
	Panels []struct {
		ID          int
		Title, Type string
		GridPos     struct{ H, W, X, Y int }
		Datasource  struct{ UID string }
		Targets     []struct {
			Expr       string
			Datasource struct{ UID string }
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

// readYAML reads a file without unknown fields.
func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(readFile(t, name)))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(into), name)
}

func readRules(t *testing.T) (all []rule) {
	t.Helper()
	var r alertFile
	readYAML(t, "alerts.yml", &r)
	for _, g := range r.Groups {
		all = append(all, g.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

func readDashboard(t *testing.T) (d dashboard, exprs []string) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(readFile(t, "grafana-dashboard.json")), &d))
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	require.NotEmpty(t, exprs)
	return d, exprs
}

// nameRegisterer collects the names of the registered metrics.
type nameRegisterer struct {
	prometheus.Registerer
	names map[string]bool
}

var namePattern = regexp.MustCompile(`fqName: "([^"]+)"`)

func (d nameRegisterer) Register(c prometheus.Collector) error {
	ch := make(chan *prometheus.Desc)
	go func() {
		defer close(ch)
		c.Describe(ch)
	}()
	for desc := range ch {
		d.names[namePattern.FindStringSubmatch(desc.String())[1]] = true
	}
	return nil
}

// listLibraryMetrics returns the metrics that the library registers.
func listLibraryMetrics(t *testing.T) map[string]bool {
	t.Helper()
	d := nameRegisterer{names: map[string]bool{}}
	_, err := monitoring.New(d, monitoring.Config{})
	require.NoError(t, err)
	registerCluster(t, d)
	require.NoError(t, consolemetrics.Register(d, nil))
	require.Greater(t, len(d.names), 40)
	return d.names
}

// listServerMetrics returns the metrics of TigerBeetle behind the bridge.
func listServerMetrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for line := range strings.Lines(readFile(t, "testdata/tigerbeetle-metrics.txt")) {
		kind, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "gauge":
			names[name] = true
		case "timing":
			for _, stat := range []string{"_sum", "_count", "_min", "_max", "_avg"} {
				names[name+stat] = true
			}
		}
	}
	require.Greater(t, len(names), 100)
	return names
}

var metricPattern = regexp.MustCompile(`\b(peerledger|tb)_[a-zA-Z0-9_]+`)

// findMetrics returns the metrics of an expression. A histogram has its own name.
func findMetrics(expr string, known map[string]bool) (names []string) {
	for _, name := range metricPattern.FindAllString(expr, -1) {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, cut := strings.CutSuffix(name, suffix); cut && !known[name] {
				name = base
			}
		}
		names = append(names, name)
	}
	return names
}

func TestEveryMetricThatIsAskedForExists(t *testing.T) {
	t.Parallel()
	known := listLibraryMetrics(t)
	for name := range listServerMetrics(t) {
		known[name] = true
	}
	_, exprs := readDashboard(t)
	for _, r := range readRules(t) {
		exprs = append(exprs, r.Expr)
	}
	for _, expr := range exprs {
		names := findMetrics(expr, known)
		for _, name := range names {
			require.True(t, known[name], "%s in %s", name, expr)
		}
		require.True(t, len(names) > 0 || strings.Contains(expr, "up{"), expr)
	}
}

// Every metric of the library is on the dashboard and in docs/monitoring.md.
func TestEveryMetricIsShownAndDocumented(t *testing.T) {
	t.Parallel()
	known := listLibraryMetrics(t)
	_, exprs := readDashboard(t)
	shown := map[string]bool{}
	for _, expr := range exprs {
		for _, name := range findMetrics(expr, known) {
			shown[name] = true
		}
	}
	doc := readFile(t, "../../docs/monitoring.md")
	for name := range known {
		require.True(t, shown[name], "%s is in no panel", name)
		require.Contains(t, doc, "`"+name+"`", "is not in docs/monitoring.md")
	}
}

func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	docs := readFile(t, "../../docs/monitoring.md")
	tests := readFile(t, "alerts_test.yml")
	seen := map[string]bool{}
	for _, r := range readRules(t) {
		require.False(t, seen[r.Alert], r.Alert)
		seen[r.Alert] = true
		require.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
		require.NotEmpty(t, r.Annotations["summary"], r.Alert)
		require.Equal(t, "docs/monitoring.md#"+strings.ToLower(r.Alert), r.Annotations["runbook"])
		require.Regexp(t, `(?m)^#+ `+r.Alert+`$`, docs, "there is no such heading")
		require.Contains(t, tests, "alertname: "+r.Alert+"\n", "is not tested")
	}
}

func TestDashboardIsWellFormed(t *testing.T) {
	t.Parallel()
	d, _ := readDashboard(t)
	var sources []string
	for _, v := range d.Templating.List {
		if v.Type == "datasource" {
			sources = append(sources, "${"+v.Name+"}")
		}
	}
	require.Len(t, sources, 1)
	ids := map[int]bool{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], p.Title)
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		require.Equal(t, sources[0], p.Datasource.UID, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			require.Equal(t, sources[0], target.Datasource.UID, p.Title)
		}
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], "%s lies over another panel", p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// Images are pinned, ports are published on this host alone, and mounted files exist.
func TestCompose(t *testing.T) {
	t.Parallel()
	var c struct {
		Services map[string]struct {
			Image          string
			Ports, Volumes []string
		}
		Volumes map[string]any
	}
	require.NoError(t, yaml.Unmarshal([]byte(readFile(t, "compose.yaml")), &c))
	require.Len(t, c.Services, 3)
	for name, s := range c.Services {
		require.Regexp(t, `^[a-z/-]+:v?\d+\.\d+\.\d+$`, s.Image, name)
		for _, port := range s.Ports {
			require.Regexp(t, `^127\.0\.0\.1:`, port, name)
		}
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(from, "./") {
				require.Contains(t, c.Volumes, from, name)
				continue
			}
			require.FileExists(t, from, name)
		}
	}
}

func TestOtherYAMLParses(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.y*ml")
	require.NoError(t, err)
	more, err := filepath.Glob("grafana/*.y*ml")
	require.NoError(t, err)
	for _, name := range slices.Concat(names, more) {
		var content map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(readFile(t, name)), &content), name)
		require.NotEmpty(t, content, name)
	}
}

// runPromtool runs Prometheus' own checks, which parse every expression.
func runPromtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool: install it (Debian: prometheus)")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestPromtoolRules(t *testing.T) {
	t.Parallel()
	runPromtool(t, "check", "rules", "alerts.yml")
}

func TestPromtoolRuleTests(t *testing.T) {
	t.Parallel()
	runPromtool(t, "test", "rules", "alerts_test.yml")
}

func TestPromtoolConfig(t *testing.T) {
	t.Parallel()
	runPromtool(t, "check", "config", "prometheus.yml")
}

// The dashboard's expressions are checked as rules, with values for Grafana's variables.
func TestPromtoolDashboard(t *testing.T) {
	t.Parallel()
	_, exprs := readDashboard(t)
	fill := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$asset", ".*")
	type record struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var group struct {
		Name  string   `yaml:"name"`
		Rules []record `yaml:"rules"`
	}
	group.Name = "dashboard"
	for _, expr := range exprs {
		filled := fill.Replace(expr)
		require.NotContains(t, filled, "$", expr)
		if !slices.ContainsFunc(group.Rules, func(r record) bool { return r.Expr == filled }) {
			group.Rules = append(group.Rules, record{"panel", filled})
		}
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	text, err := yaml.Marshal(map[string]any{"groups": []any{group}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	runPromtool(t, "check", "rules", "--lint=none", file)
}
