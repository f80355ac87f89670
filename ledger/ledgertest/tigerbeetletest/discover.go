//go:build cgo && unix

package tigerbeetletest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Release is the TigerBeetle release that the tests are for: the release of the native client.
const Release = "0.17.9"

// Image is the image of the containers.
const Image = "ghcr.io/tigerbeetle/tigerbeetle:" + Release

// discovery is the host found to run TigerBeetle.
type discovery struct {
	host        host
	description string // of the host, for the log
	err         error  // set if no host was found
}

// discoverOnce looks for a TigerBeetle once per process, because looking for an image takes time.
var discoverOnce = sync.OnceValue(func() discovery {
	ctx, cancel := context.WithTimeout(context.Background(), pullTimeout)
	defer cancel()
	mayPull := os.Getenv("PEERLEDGER_PULL") != "never"
	return findServer(func() error { return ensureImages(ctx, mayPull) }, os.Getenv, exec.LookPath, readRelease)
})

// pullTimeout bounds the pull of an image.
const pullTimeout = 3 * time.Minute

// findServer looks for a TigerBeetle in the order of the package comment.
func findServer(
	image func() error, getenv func(string) string,
	lookPath func(string) (string, error), release func(binary string) (string, error),
) discovery {
	imageErr := image()
	if imageErr == nil {
		return discovery{host: containers{}, description: "containers of " + Image}
	}
	missing := []error{fmt.Errorf("containers: %w", imageErr)}
	for _, source := range []struct{ name, file string }{
		{"TIGERBEETLE_BINARY", getenv("TIGERBEETLE_BINARY")}, {"PATH", "tigerbeetle"},
	} {
		if source.file == "" {
			missing = append(missing, fmt.Errorf("%s is not set", source.name))
			continue
		}
		binary, err := lookPath(source.file)
		if err != nil {
			missing = append(missing, fmt.Errorf("%s: %w", source.name, err))
			continue
		}
		version, err := release(binary)
		if err != nil {
			missing = append(missing, fmt.Errorf("%s: %s version: %w", source.name, binary, err))
			continue
		}
		note := fmt.Sprintf("processes of %s, release %s", binary, version)
		if version != Release {
			note += ", though these tests are for " + Release
		}
		return discovery{host: processes{binary}, description: note}
	}
	return discovery{err: errors.Join(missing...)}
}

// readRelease runs a binary to learn its release.
func readRelease(binary string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, binary, "version").Output()
	if err != nil {
		return "", err
	}
	return parseRelease(string(output))
}

// parseRelease reads the output of "tigerbeetle version", e.g. "TigerBeetle version
// 0.17.9+52ad553".
func parseRelease(output string) (string, error) {
	fields := strings.Fields(output)
	if len(fields) < 3 || fields[0] != "TigerBeetle" {
		return "", fmt.Errorf("not TigerBeetle's: %q", output)
	}
	release, _, _ := strings.Cut(fields[2], "+")
	return release, nil
}

// requireHost returns the host for a test's replicas. Without a host the test is skipped or fails.
func requireHost(tb testing.TB, cfg Config) host {
	tb.Helper()
	h, line, fail := chooseHost(cfg, os.Getenv, discoverOnce)
	switch {
	case fail:
		tb.Fatal("needs " + line)
	case h == nil:
		tb.Skip("needs " + line)
	default:
		tb.Log(line)
	}
	return h
}

// serverVariable is the variable that chooses the server in this process, also where a TigerBeetle
// is found.
const serverVariable = "PEERLEDGER_TIGERBEETLE"

const serverLine = "TigerBeetle: none, but ledger/server in this process"

// How to get a TigerBeetle.
const (
	getBinary = "download release " + Release + " from https://github.com/tigerbeetle/tigerbeetle/releases and name it in TIGERBEETLE_BINARY"
	getImage  = "start Docker for the image " + Image
)

// FindBinary returns the path of the binary that TIGERBEETLE_BINARY names, else of "tigerbeetle" on PATH. The error tells
// how to get the binary: a test without the binary skips with "needs " and the error's text.
func FindBinary() (string, error) {
	return findBinary(os.Getenv("TIGERBEETLE_BINARY"))
}

func findBinary(named string) (string, error) {
	path, err := exec.LookPath(cmp.Or(named, "tigerbeetle"))
	if err == nil {
		return path, nil
	}
	tried := "TIGERBEETLE_BINARY is not set, and PATH has no tigerbeetle"
	if named != "" {
		for inner := err; inner != nil; inner = errors.Unwrap(inner) {
			err = inner // the innermost error alone does not repeat the name
		}
		tried = fmt.Sprintf("TIGERBEETLE_BINARY=%s: %v", named, err)
	}
	return "", fmt.Errorf("the TigerBeetle binary: %s (%s)", getBinary, tried)
}

// chooseHost returns the host for a cluster, and one line that describes the host. Without a host
// the line describes the missing parts, and fail is true if missing parts fail the test.
func chooseHost(cfg Config, getenv func(string) string, discover func() discovery) (h host, line string, fail bool) {
	if cfg.allowsServer() && getenv(serverVariable) == "server" {
		return inProcess{}, serverLine, false
	}
	f := discover()
	fail = f.err != nil && getenv("PEERLEDGER_REQUIRE_CLUSTER") == "1"
	switch {
	case f.err == nil:
		return f.host, "TigerBeetle: " + f.description, false
	case cfg.allowsServer() && !fail:
		return inProcess{}, serverLine, false
	}
	reason := "the test needs a real one"
	if cfg.Replicas > 1 {
		reason = fmt.Sprintf("the test needs %d replicas", cfg.Replicas)
	}
	found := strings.ReplaceAll(f.err.Error(), "\n", "; ")
	return nil, fmt.Sprintf("the TigerBeetle binary or image: %s, or %s (%s; looked for %s)", getBinary, getImage, reason, found), fail
}
