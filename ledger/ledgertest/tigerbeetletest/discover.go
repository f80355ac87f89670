//go:build cgo && unix

package tigerbeetletest

import (
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
	return findServer(func() error { return ensureImages(ctx) }, os.Getenv, exec.LookPath, readRelease)
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
func requireHost(tb testing.TB) host {
	tb.Helper()
	f := discoverOnce()
	switch line, fail := f.describeHost(os.Getenv); {
	case fail:
		tb.Fatal(line)
	case f.err != nil:
		tb.Skip(line)
	default:
		tb.Log(line)
	}
	return f.host
}

// describeHost returns one line that describes the host or the missing parts, and whether missing
// parts fail the test.
func (f discovery) describeHost(getenv func(string) string) (line string, fail bool) {
	if f.err == nil {
		return "TigerBeetle: " + f.description, false
	}
	reasons := strings.ReplaceAll(f.err.Error(), "\n", "; ")
	return "no TigerBeetle to test with: " + reasons, getenv("PEERLEDGER_REQUIRE_CLUSTER") == "1"
}
