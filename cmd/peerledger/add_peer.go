package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/peerledger/peerledger/accounts"
)

// noListError is returned when the file has no list to which a line can be added.
type noListError struct{ field, thing string }

func (e *noListError) Error() string {
	return fmt.Sprintf("%s: is not a list with one %s a line", e.field, e.thing)
}

// listInConfig adds a peer to the configuration file, because the ledger keeps only a hash of its
// id. It returns a note for the operator.
func (a *app) listInConfig(cfg config, entry peerConfig) string {
	if err := addPeerToFile(cfg, entry); err != nil {
		return fmt.Sprintf("The ledger keeps no names, and the peer could not be listed in %s (%v). Add under peers:\n  - %s", cfg.fileName(), err, entry.formatEntry())
	}
	return fmt.Sprintf("The peer is now listed in %s, since the ledger keeps no names.", cfg.fileName())
}

// addPeerToFile rewrites the file with one more line, if the result parses to the same
// configuration plus the peer.
func addPeerToFile(cfg config, entry peerConfig) error {
	return changeFile(cfg, func(content []byte) ([]byte, error) { return insertPeer(content, entry) })
}

// changeFile rewrites the configuration file.
func changeFile(cfg config, change func(content []byte) ([]byte, error)) error {
	file, err := filepath.EvalSymlinks(cfg.fileName()) // replace the file, not a link to it
	if err != nil {
		return err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	content, err = change(content)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return replaceFile(file, content, info.Mode().Perm())
}

// insertPeer returns the configuration with one more peer after the last one. All other text,
// comments included, is kept.
func insertPeer(content []byte, entry peerConfig) ([]byte, error) {
	before, err := parseConfig(content)
	if err != nil {
		return nil, err
	}
	changed, err := insertLine(content, "peers", entry.formatEntry())
	if err != nil {
		return nil, err
	}
	after, err := parseConfig(changed)
	if err != nil {
		return nil, err
	}
	if before.Peers = append(before.Peers, entry); !reflect.DeepEqual(before, after) {
		return nil, &noListError{"peers", "peer"}
	}
	return changed, nil
}

// insertLine adds an entry to the list of a field, after the last one. A missing list is added at the
// end.
func insertLine(content []byte, field, entry string) ([]byte, error) {
	at, indent, err := findLastEntry(content, field)
	if err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(content), "\n")+"\n", "\n")
	lines = lines[:len(lines)-1] // drop the empty string after the last line break
	if at == 0 {                 // the file has no such list
		lines = append(lines, field+":\n")
		at = len(lines)
	}
	lines = slices.Insert(lines, at, indent+"- "+entry+"\n")
	return []byte(strings.Join(lines, "")), nil
}

// findLastEntry returns the last line of the list of a field, counted from 1, and the indentation of
// the list. Line 0: the file has no list.
func findLastEntry(content []byte, field string) (line int, indent string, err error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil || len(document.Content) == 0 {
		return 0, "  ", err
	}
	fields := document.Content[0].Content
	for i := 0; i+1 < len(fields); i += 2 {
		list := fields[i+1]
		switch {
		case fields[i].Value != field:
			continue
		case list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0 || len(list.Content) == 0:
			return 0, "", &noListError{field, strings.TrimSuffix(field, "s")}
		}
		return findLastLine(list.Content[len(list.Content)-1]), strings.Repeat(" ", list.Column-1), nil
	}
	return 0, "  ", nil
}

// findLastLine returns the last line of a node and its children.
func findLastLine(node *yaml.Node) int {
	last := node.Line
	for _, child := range node.Content {
		last = max(last, findLastLine(child))
	}
	return last
}

// formatEntry returns the peer as a line of the file.
func (p peerConfig) formatEntry() string {
	var fields []string
	for _, f := range []struct{ name, value string }{
		{"id", p.ID},
		{"asset", p.Asset},
		{"credit_line", p.CreditLine},
		{"settle_at", p.SettleAt},
		{"settle_to", p.SettleTo},
		{"engine", p.Engine},
		{"engine_account", p.EngineAccount},
	} {
		if f.value != "" {
			fields = append(fields, fmt.Sprintf("%s: %q", f.name, f.value))
		}
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// replaceFile replaces a file atomically.
func replaceFile(file string, content []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = bytes.NewReader(content).WriteTo(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// chooseEntry returns the file's entry for a peer, and true if the file lists the peer. Else it
// returns a new entry with id, asset and first credit line.
func (s *session) chooseEntry(account accounts.PeerAccount, asset accounts.Asset, creditLine string) (entry peerConfig, listed bool) {
	if entry, listed = s.findConfigured(account); listed {
		return entry, true
	}
	name := asset.Code
	if len(s.matchAssets(name)) > 1 {
		name = asset.String()
	}
	return peerConfig{ID: account.Peer(), Asset: name, CreditLine: creditLine}, false
}
