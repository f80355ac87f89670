package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnginesInTheConfiguration(t *testing.T) {
	t.Parallel()
	const bank = `{name: bank, url: "http://127.0.0.1:1", assets: [USD]}`
	for want, lines := range map[string]string{
		"engines[0] (): name: is missing":                                         `engines: [{url: "http://127.0.0.1:1"}]`,
		`engines[0] (none): name: must not be "none"`:                             `engines: [{name: none, url: "http://127.0.0.1:1"}]`,
		"engines[1] (bank): name: bank is listed twice":                           `engines: [` + bank + `, {name: bank, url: "http://127.0.0.1:1"}]`,
		"engines[0] (bank): url: is missing":                                      `engines: [{name: bank}]`,
		"engines[0] (bank): url: must have no user, query or fragment":            `engines: [{name: bank, url: "http://me@127.0.0.1:1"}]`,
		"engines[0] (bank): token: give file or env, not both":                    `engines: [{name: bank, url: "http://127.0.0.1:1", token: {file: a, env: b}}]`,
		"engines[0] (bank): header: give name, and file or env":                   `engines: [{name: bank, url: "http://127.0.0.1:1", header: {name: X-Key}}]`,
		"engines[0] (bank): header: is a header of the client":                    `engines: [{name: bank, url: "http://127.0.0.1:1", header: {name: Host, env: b}}]`,
		"engines[0] (bank): ca_file: is given, and the url is no https":           `engines: [{name: bank, url: "http://127.0.0.1:1", ca_file: ca.pem}]`,
		"engines[0] (bank): timeout: must be at least 1s":                         `engines: [{name: bank, url: "http://127.0.0.1:1", timeout: 1ms}]`,
		`engines[0] (bank): key_lifetime: "1 day" is neither a duration`:          `engines: [{name: bank, url: "http://127.0.0.1:1", key_lifetime: "1 day"}]`,
		"engines[0] (bank): wake_every: must be at least 1s, not 1ms":             `engines: [{name: bank, url: "http://127.0.0.1:1", wake_every: 1ms}]`,
		"engines[0] (bank): scale: 22 is more than 19 away from USD/2":            `engines: [{name: bank, url: "http://127.0.0.1:1", assets: [USD], scale: 22}]`,
		`engines[0] (bank): assets: there is no asset "GBP"`:                      `engines: [{name: bank, url: "http://127.0.0.1:1", assets: [GBP]}]`,
		"engines[1] (b): assets: USD/2 is served by engine bank already":          `engines: [` + bank + `, {name: b, url: "http://127.0.0.1:1", assets: [USD]}]`,
		"peers[0] (alice): settle_at: no engine pays the peer: add USD/2":         `engines: [{name: bank, url: "http://127.0.0.1:1", assets: [EUR]}]`,
		"line 11: field uri not found":                                            "engines:\n  - {name: bank, uri: x}",
		"engine_reports: token: give file or env, not both":                       `engine_reports: {token: {file: a, env: b}}`,
		"peers[3] (carol): engine: there is no engine \"b\"":                      `  - {id: carol, asset: EUR, engine: b}`,
		"peers[3] (carol): engine_account: the peer has no engine":                `  - {id: carol, asset: EUR, engine_account: x}`,
		`peers: engine_account: rfc0038: invalid account id: "A" must consist`:    `  - {id: carol, asset: USD, engine_account: A}` + "\nengines: [" + bank + "]",
		"peers[3] (carol): settle_at, settle_to: engine bank pays whole units of": `  - {id: carol, asset: USD, settle_at: "0.50"}` + "\n" + `engines: [{name: bank, url: "http://127.0.0.1:1", assets: [USD], scale: 0}]`,
	} {
		_, err := parseConfig([]byte(configuration + lines + "\n"))
		require.Error(t, err, want)
		require.Contains(t, formatError(err), want)
	}
	cfg, err := parseConfig([]byte(configuration + "  - {id: carol, asset: EUR, settle_at: \"1\", engine: none}\n" + `engines: [` + bank + "]\n"))
	require.NoError(t, err)
	_, found := cfg.findEngine(cfg.Peers[3], cfg.toBookConfig().Assets[1])
	require.False(t, found)
}

func TestSecretsOfEngines(t *testing.T) {
	t.Parallel()
	a := &app{getenv: func(name string) string { return map[string]string{"TOKEN": "secret"}[name] }}
	got, err := a.readSecret(secretConfig{Env: "TOKEN"})
	require.NoError(t, err)
	require.Equal(t, "secret", got)
	_, err = a.readSecret(secretConfig{Env: "OTHER"})
	require.ErrorContains(t, err, "the variable OTHER is not set")
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	_, err = a.readSecret(secretConfig{File: empty})
	require.ErrorContains(t, err, "is empty")
	_, err = a.newEngineClient(engineConfig{URL: "https://127.0.0.1:1", CAFile: empty})
	require.ErrorContains(t, err, "has no certificate in PEM")
}
