package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// contextsFile is the user's list of ledgers: names of configuration files.
type contextsFile struct {
	path string // "" if the environment names no home

	Current  string            `yaml:"current"`  // the context of commands without --context; "" is none
	Contexts map[string]string `yaml:"contexts"` // files by name, relative to the folder of this file
}

// contextsPath returns the path of the user's contexts; "" if the environment names no home.
func (a *app) contextsPath() string {
	folder := a.getenv("XDG_CONFIG_HOME")
	if folder == "" {
		home := a.getenv("HOME")
		if home == "" {
			return ""
		}
		folder = filepath.Join(home, ".config")
	}
	return filepath.Join(folder, "peerledger", "contexts.yaml")
}

// readContexts reads the user's contexts. A missing file has none.
func (a *app) readContexts() (contextsFile, error) {
	file := contextsFile{path: a.contextsPath()}
	if file.path == "" {
		return file, nil
	}
	content, err := os.ReadFile(file.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return file, nil
	case err != nil:
		return file, fmt.Errorf("%w: contexts: %w", errUsage, err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) { // io.EOF: the file is empty
		return file, &fileError{file.path, errors.New(goType.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), ""))}
	}
	return file, nil
}

// findContext returns the configuration file of a context.
func (f contextsFile) findContext(name string) (string, error) {
	path, found := f.Contexts[name]
	switch {
	case found && path == "":
		return "", fmt.Errorf("%w: %s: the context %s names no configuration file", errUsage, f.path, name)
	case found && !filepath.IsAbs(path):
		return filepath.Join(filepath.Dir(f.path), path), nil
	case found:
		return path, nil
	case len(f.Contexts) > 0:
		return "", fmt.Errorf("%w: there is no context %q; there is %s", errUsage, name, strings.Join(slices.Sorted(maps.Keys(f.Contexts)), ", "))
	default:
		return "", fmt.Errorf("%w: there is no context %q, and no other: list contexts in %s, as in\n%s", errUsage, name, orDefault(f.path, "$HOME/.config/peerledger/contexts.yaml"), exampleContexts)
	}
}

// exampleContexts shows the form of the file.
const exampleContexts = "  contexts:\n    test: /etc/peerledger/test.yaml\n    live: /etc/peerledger/live.yaml"

// configChoice is the configuration file of a command, and how it was chosen.
type configChoice struct {
	file    string
	isNamed bool   // else the file may be missing
	context string // the context that names the file; "" for none
}

// chooseConfig chooses the configuration file: --config, --context, PEERLEDGER_CONFIG, the current context, or
// the file in the working directory. The current context beside a file in the working directory is refused:
// either may be meant, and a write would go to the wrong ledger.
func (a *app) chooseConfig() (configChoice, error) {
	if a.config != "" {
		return configChoice{file: a.config, isNamed: true}, nil
	}
	if a.context != "" {
		return a.chooseContext(a.context)
	}
	if file := a.getenv("PEERLEDGER_CONFIG"); file != "" {
		return configChoice{file: file, isNamed: true}, nil
	}
	contexts, err := a.readContexts()
	if err != nil || contexts.Current == "" {
		return configChoice{file: defaultFile}, err
	}
	chosen, err := a.chooseContext(contexts.Current)
	if err == nil && existsBeside(defaultFile, chosen.file) {
		err = fmt.Errorf("%w: the working directory has a %s, and the current context is %s: say which is meant with --config %[2]s or --context %[3]s", errUsage, defaultFile, contexts.Current)
	}
	return chosen, err
}

// chooseContext chooses the configuration file of a context.
func (a *app) chooseContext(name string) (configChoice, error) {
	contexts, err := a.readContexts()
	if err != nil {
		return configChoice{}, err
	}
	file, err := contexts.findContext(name)
	return configChoice{file: file, isNamed: true, context: name}, err
}

// existsBeside reports whether a file exists that is not the other file.
func existsBeside(file, other string) bool {
	info, err := os.Stat(file)
	if err != nil {
		return false
	}
	otherInfo, err := os.Stat(other)
	return err != nil || !os.SameFile(info, otherInfo)
}

// checkContext refuses a context whose ledger depends on more than its file: on the working directory or the
// environment. Flags that name a ledger are refused beside --context, and count beside the current context.
func (a *app) checkContext(cfg config) error {
	if cfg.context == "" || a.folder != "" || a.clusterID != "" || len(a.addresses) > 0 {
		return nil
	}
	namesLedger := cfg.Folder != "" || cfg.ClusterID != "" || len(cfg.Addresses) > 0
	switch {
	case cfg.Folder != "" && !filepath.IsAbs(cfg.Folder):
		return fmt.Errorf("%w: context %s: %s: folder: %s is relative to the working directory: give the whole path", errUsage, cfg.context, cfg.file, cfg.Folder)
	case namesLedger && (a.getenv("PEERLEDGER_FOLDER") != "" || a.isClusterInEnv()):
		return fmt.Errorf("%w: the context %s names a ledger, and the environment names another: unset PEERLEDGER_FOLDER and TIGERBEETLE_*, or give --config %s", errUsage, cfg.context, cfg.file)
	default:
		return nil
	}
}

// describeTarget names the ledger that flags, environment or file name; "" if none is named.
func (a *app) describeTarget(cfg config) string {
	if folder := a.selectFolder(cfg); folder != "" {
		return "folder " + folder
	}
	named, err := a.resolveCluster(cfg)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("cluster %v at %s", named.ClusterID, strings.Join(named.Addresses, ","))
}
