package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// contextsHome is the home of a user with contexts: "test" and "live" are two ledgers.
type contextsHome struct {
	folder     string
	test, live testLedger
	env        map[string]string
}

func newContextsHome(t *testing.T) contextsHome {
	t.Helper()
	h := contextsHome{folder: t.TempDir(), test: newTestLedger(t), live: newTestLedger(t)}
	for _, s := range []testLedger{h.test, h.live} {
		require.NoError(t, os.WriteFile(s.config, []byte("folder: "+s.folder+configuration), 0o600))
	}
	h.env = map[string]string{"XDG_CONFIG_HOME": h.folder}
	require.NoError(t, os.MkdirAll(filepath.Join(h.folder, "peerledger"), 0o750))
	h.write(t, "# my ledgers\ncontexts:\n  test: "+h.test.config+"\n  live: "+h.live.config+" # mind the gap\n  typo: nothing.yaml\n")
	return h
}

func (h contextsHome) file() string { return filepath.Join(h.folder, "peerledger", "contexts.yaml") }

func (h contextsHome) write(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(h.file(), []byte(text), 0o600))
}

func (h contextsHome) run(t *testing.T, args ...string) outcome {
	t.Helper()
	return runAppWith(t.Context(), func(a *app) { a.getenv = func(name string) string { return h.env[name] } }, args...)
}

func TestContexts(t *testing.T) {
	t.Parallel()
	h := newContextsHome(t)
	got := h.run(t, "--context", "live", "credit", "set", "alice@USD", "7")
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, "\nLedger: context live, folder "+h.live.folder+".\n", "a preview says which ledger is meant")
	got = h.run(t, "--context", "live", "credit", "set", "alice@USD", "7", "--yes", "--json")
	change := parseRows[change](t, got.out)[0]
	require.Equal(t, []any{"live", "folder " + h.live.folder, true}, []any{change.Context, change.Ledger, change.Written})
	require.Contains(t, h.run(t, "--context", "live", "balances", "alice@USD", "--json").out, `"credit_line":"7.00"`)
	require.Contains(t, h.run(t, "--context", "test", "balances", "alice@USD", "--json").out, `"credit_line":"100.00"`)
	require.NotContains(t, h.live.runOK(t, "credit", "set", "alice@USD", "8"), "context", "without contexts nothing is said")

	rows := parseRows[contextRow](t, h.run(t, "context", "list", "--json").out)
	require.Equal(t, []contextRow{
		{Context: "live", File: h.live.config, Ledger: "folder " + h.live.folder},
		{Context: "test", File: h.test.config, Ledger: "folder " + h.test.folder},
		{Context: "typo", File: filepath.Join(h.folder, "peerledger", "nothing.yaml"), Error: rows[2].Error},
	}, rows)
	require.Contains(t, rows[2].Error, "no such file")
}

// An error of a command says which ledger was meant.
func TestErrorsOfContexts(t *testing.T) {
	t.Parallel()
	h := newContextsHome(t)
	got := h.run(t, "--context", "live", "balances", "nobody@USD")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "\nThis is of the context live, folder "+h.live.folder+".\n")
	got = h.run(t, "--context", "live", "balances", "nobody@USD", "--json")
	require.Contains(t, got.errors, `"status":1,"context":"live","ledger":"folder `+h.live.folder+`"}`)
	for want, args := range map[string][]string{
		`there is no context "prod"; there is live, test, typo`: {"--context", "prod", "balances"},
		"no such file":                      {"--context", "typo", "balances"},
		"leave out --config":                {"--context", "live", "--config", h.test.config, "balances"},
		"--folder":                          {"--context", "live", "--folder", h.test.folder, "balances"},
		"name a context, or give --none":    {"context", "use"},
		`there is no context "nothing"`:     {"context", "use", "nothing"},
		"context use takes no --context":    {"context", "use", "live", "--context", "live"},
		"peerledger serve takes no --conte": {"serve", "--context", "live"},
	} {
		got := h.run(t, args...)
		require.Equal(t, statusUsage, got.status, "%v: %s", args, got.errors)
		require.Contains(t, got.errors, want, args)
	}
	for _, name := range []string{"PEERLEDGER_FOLDER", "TIGERBEETLE_ADDRESSES"} {
		h.env[name] = "elsewhere:1"
		got = h.run(t, "--context", "live", "balances")
		require.Equal(t, statusUsage, got.status)
		require.Contains(t, got.errors, "the environment names another")
		delete(h.env, name)
	}
	require.NoError(t, os.WriteFile(h.live.config, []byte("folder: ledger"+configuration), 0o600))
	got = h.run(t, "--context", "live", "balances")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "give the whole path")

	h.write(t, "contexts: {live: [}")
	require.Contains(t, h.run(t, "context", "list").errors, h.file()+": ")
	h.write(t, "context: {live: x}")
	require.Contains(t, h.run(t, "--context", "live", "balances").errors, "field context not found")
	h.write(t, "")
	require.Contains(t, h.run(t, "--context", "live", "balances").errors, "list contexts in "+h.file())
	require.Equal(t, "There are no contexts (peerledger context --help).\n", h.run(t, "context", "list").out)
	require.Equal(t, "[]\n", h.run(t, "context", "list", "-o", "json").out)
}

// The current context holds for commands without another choice. Comments of the file stay.
func TestCurrentContext(t *testing.T) {
	t.Parallel()
	h := newContextsHome(t)
	require.Contains(t, h.run(t, "context", "show").out, "context: none\n")
	require.Equal(t, "The current context is live: "+h.live.config+", folder "+h.live.folder+".\n", h.run(t, "context", "use", "live").out)
	content, err := os.ReadFile(h.file())
	require.NoError(t, err)
	require.Contains(t, string(content), "# my ledgers")
	require.Contains(t, string(content), "# mind the gap")
	require.Contains(t, string(content), `current: "live"`)

	show := func(args ...string) contextRow {
		t.Helper()
		got := h.run(t, append([]string{"context", "show", "--json"}, args...)...)
		require.Equal(t, statusDone, got.status, got.errors)
		return parseRows[contextRow](t, got.out)[0]
	}
	require.Equal(t, contextRow{Context: "live", Current: true, File: h.live.config, Ledger: "folder " + h.live.folder}, show())
	require.Equal(t, contextRow{Context: "test", File: h.test.config, Ledger: "folder " + h.test.folder}, show("--context", "test"))
	require.Equal(t, contextRow{File: h.test.config, Ledger: "folder " + h.test.folder}, show("--config", h.test.config))
	require.Equal(t, "folder elsewhere", show("--folder", "elsewhere").Ledger, "a flag comes before the current context, and previews name its ledger")
	h.env["PEERLEDGER_CONFIG"] = h.test.config
	require.Equal(t, contextRow{File: h.test.config, Ledger: "folder " + h.test.folder}, show(), "the environment of one shell comes before the current context of all")
	delete(h.env, "PEERLEDGER_CONFIG")

	require.Equal(t, "No context is current.\n", h.run(t, "context", "use", "--none").out)
	require.Empty(t, show().Context)
}

// A configuration in the working directory and a current context may both be meant.
func TestCurrentContextBesideAFile(t *testing.T) {
	h := newContextsHome(t)
	h.run(t, "context", "use", "live")
	t.Chdir(filepath.Dir(h.test.config))
	got := h.run(t, "balances")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "say which is meant with --config peerledger.yaml or --context live")
	require.Equal(t, statusDone, h.run(t, "balances", "--context", "live").status)
	require.Equal(t, statusDone, h.run(t, "balances", "--config", "peerledger.yaml").status)
	t.Chdir(filepath.Dir(h.live.config))
	require.Equal(t, statusDone, h.run(t, "balances").status, "it is the file of the context")
}
