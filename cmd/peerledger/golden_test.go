package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// update rewrites the golden files: go test ./cmd/peerledger -run 'Golden|Fields|Reference' -update.
var update = flag.Bool("update", false, "rewrite the golden files and docs/commands.md")

// goldenLines has the command lines of each golden file, run with --json in copies of the ledger of
// newPromiseLedger. Lines of promises are added: with --yes, without, and the refusals.
var goldenLines = map[string][]string{
	"balances": {"balances", "balances --own"}, "audit": {"audit", "audit --ledger"}, "statement": {"statement alice@USD --holds", "statement alice@USD --holds -o jsonl", "statement --own --asset USD"},
	"orders": {"orders", "orders --closed"}, "watch": {"watch --once"}, "peers": {"peers"}, "holds": {"holds", "holds --totals"}, "limits": {"limits"},
	"exposure": {"exposure --channel channel"}, "history": {"history alice@USD --steps 1"}, "chart": {"chart alice@USD --file TARGET.svg"}, "check": {"check --liquidity-warning USD=1000"}, "trial-balance": {"trial-balance"}, "result": {"result --from 2020-01-01 --to 2040-01-01 --rate USD=0.92 --currency EUR"},
	"settle announced": {"settle announced"}, "settle pauses": {"settle pauses"}, "peers standing": {"peers standing"}, "find": {"find taken --key"},
	"compare": {"compare alice@USD THEIRS"}, "migrate": {"migrate --to-folder TARGET"}, "export": {"export TARGET", "export TARGET --sum day --asset EUR --format jsonl", "export TARGET --balances --asset EUR"},
	"settle now": {"settle now bob@USD --pay-with true"}, "settle refund": {"settle refund alice@USD --pay-with true"}, "settle start": {"settle start"},
	"config check": {"config check"}, "config init": {"config init TARGET"}, "context list": {"context list"}, "context show": {"context show"}, "context use": {"context use test"},
	"doctor": {"doctor"}, "version": {"version"}, "replay": {"replay"}, "engines": {"engines"}, "engines add": {"engines add bank http://127.0.0.1:1 --asset USD"},
	"backup": {"backup --to BACKUPS"}, "backup list": {"backup list BACKUPS"}, "restore": {"restore BACKUPS TARGET"},
}

// withoutGolden has the commands without a golden file, and why.
var withoutGolden = map[string]string{
	"console":        "serves until it is stopped: TestConsole reads its line",
	"engines run":    "serves until it is stopped: the tests of engines read its lines",
	"serve":          "serves until it is stopped: TestServe reads its line",
	"rfc0038 engine": "serves until it is stopped: TestEngineAsAProgram reads its line",
	"rfc0038 check":  "needs an engine: TestCheck... reads its lines",
	"bench":          "its figures are measurements: internal/bench has its fields",
	"packets":        "needs a journal: TestPackets reads its rows",
	"verify":         "starts a TigerBeetle",
	"help":           "prints no JSON",
}

// volatile are the parts of outputs that differ from run to run, and the sentences, which are no promise.
var volatile = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`"(error|note|effect|found|cause|remedy|text)":"(?:[^"\\]|\\.)*"`), `"$1":"TEXT"`},
	{regexp.MustCompile(`"(folder |ledger in )?/[^"]*"`), `"${1}PATH"`},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "HASH"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "ID"},
	{regexp.MustCompile(`"who":"[^"]*"`), `"who":"WHO"`},
	{regexp.MustCompile(`"(age|order_age)":"[^"]*"`), `"$1":"AGE"`},
	{regexp.MustCompile(`"(packets_per_second|rounds_per_second|packed|size)":[0-9.e+-]+`), `"$1":0`},
	{regexp.MustCompile(`("label":"oldest_order_USD_2","value":)"\d+"`), `$1"0"`},
	{regexp.MustCompile(`"(peerledger|tigerbeetle_client)":"[^"]*"`), `"$1":"VERSION"`},
}

// maskVolatile masks the parts of an output that differ from run to run.
func maskVolatile(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.mask)
	}
	return text
}

// requireGolden compares a text with a file below testdata/golden, or writes the file with -update.
func requireGolden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "write it with -update")
	require.Equal(t, string(want), text, "a field of JSON is a promise: if a change adds fields alone, rewrite %s with -update", path)
}

// The JSON of every command is the JSON of its golden file.
func TestGolden(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	names := allLines()
	maps.DeleteFunc(names, func(name, _ string) bool { return strings.HasPrefix(name, "completion") || withoutGolden[name] != "" })
	eachLine(t, names, func(t *testing.T, name string, _ []string) { //nolint:thelper // it is the test
		lines := slices.Clone(goldenLines[name])
		if p := promises[name]; p.written != "" {
			lines = append(lines, p.written, p.written+" --yes")
			if p.refused != "" {
				lines = append(lines, p.refused+" --yes")
			}
		}
		require.NotEmpty(t, lines, "%s has neither a golden file nor a reason for having none", name)
		var text strings.Builder
		for _, line := range lines {
			text.WriteString(fmt.Sprintf("{\"command\":%q}\n", line+" --json") + s.runGolden(t, line))
		}
		requireGolden(t, filepath.Join("testdata", "golden", strings.ReplaceAll(name, " ", "_")+".json"), text.String())
	})
}

// runGolden runs a line in a copy of the ledger, and returns its masked output.
func (s promiseLedger) runGolden(t *testing.T, line string) string {
	t.Helper()
	here := s.copyLedger(t)
	home := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(home, "peerledger"), 0o750))
	contexts := "contexts:\n  live: /nonexistent/peerledger.yaml\n  test: " + here.config + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(home, "peerledger", "contexts.yaml"), []byte(contexts), 0o600))
	theirs := filepath.Join(t.TempDir(), "theirs.csv")
	if strings.Contains(line, "THEIRS") {
		require.NoError(t, os.WriteFile(theirs, []byte(here.runOK(t, "statement", "bob@USD", "--csv")), 0o600))
	}
	backups := filepath.Join(t.TempDir(), "backups")
	if strings.Contains(line, " BACKUPS") && !strings.HasPrefix(line, "backup --to") {
		here.runOK(t, "backup", "--to", backups)
	}
	args := here.fill(strings.NewReplacer("THEIRS", theirs, "BACKUPS", backups).Replace(line))
	if cmd, _, err := (&app{}).newRootCommand().Find(args); err == nil {
		refused := refusedFlags[cmd.CommandPath()]
		if !slices.Contains(refused, "config") {
			args = append(args, "--config", here.config)
		}
		if !slices.Contains(refused, "folder") {
			args = append(args, "--folder", here.folder)
		}
	}
	getenv := func(name string) string { return map[string]string{"XDG_CONFIG_HOME": home}[name] }
	got := runAppWith(t.Context(), func(a *app) { a.getenv = getenv }, append(args, "--json")...)
	return maskVolatile(got.out + got.errors)
}

// fieldFolders are the packages whose types are printed as JSON.
var fieldFolders = []string{".", "internal/backup", "../../internal/doctor", "../../internal/migrate", "../../internal/bench", "../../accounts", "../../settlement/rfc0038/check", "../../internal/bookcheck", "../../internal/effects", "../../internal/lookup"}

// The names and types of all fields of JSON equal the golden file, also of fields that are seldom set.
func TestFields(t *testing.T) {
	t.Parallel()
	fields := map[string]map[string]string{}
	for _, folder := range fieldFolders {
		paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, paths, folder)
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			ast.Inspect(file, func(node ast.Node) bool {
				if spec, is := node.(*ast.TypeSpec); is {
					if found := readJSONFields(spec); len(found) > 0 {
						fields[filepath.Base(filepath.Dir(path))+"."+spec.Name.Name] = found
					}
				}
				return true
			})
		}
	}
	require.Contains(t, fields, "..peerRow")
	text, err := json.MarshalIndent(fields, "", "  ")
	require.NoError(t, err)
	requireGolden(t, filepath.Join("testdata", "golden", "fields.json"), string(text)+"\n")
}

// readJSONFields returns the types of a struct's fields by their names in JSON.
func readJSONFields(spec *ast.TypeSpec) map[string]string {
	structure, is := spec.Type.(*ast.StructType)
	if !is {
		return nil
	}
	found := map[string]string{}
	for _, field := range structure.Fields.List {
		if field.Tag == nil {
			continue
		}
		tag, has := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Lookup("json")
		if has && tag != "-" {
			name, options, _ := strings.Cut(tag, ",")
			found[name] = strings.TrimSpace(types.ExprString(field.Type) + " " + options)
		}
	}
	return found
}
