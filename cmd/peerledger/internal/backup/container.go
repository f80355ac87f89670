package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// dockerTimeout bounds the calls of docker that must not be interrupted: create and rm.
const dockerTimeout = time.Minute

// Container returns a [Server] that runs an image with the docker command, on Docker's default
// bridge, where no other server reaches it. The port is on 127.0.0.1. The server takes as much
// memory as the default of [Binary]. The container is always removed; a container of a killed
// process is removed by the next verification of the same backups.
func Container(image string, open OpenCluster) Server {
	return func(ctx context.Context, file string) (l ledger.Ledger, stop func() error, err error) {
		file, err = filepath.Abs(file) // docker takes relative names for names of volumes
		if err != nil {
			return nil, nil, err
		}
		name := containerName(file)
		remove := func() error { return removeContainer(ctx, name) }
		if err := errors.Join(remove(), ensureImage(ctx, image)); err != nil {
			return nil, nil, err
		}
		if err := createContainer(ctx, name, image, file); err != nil {
			return nil, nil, errors.Join(err, remove())
		}
		if _, err := runDocker(ctx, "start", name); err != nil {
			return nil, nil, errors.Join(err, remove())
		}
		address, err := runDocker(ctx, "port", name, "3001/tcp")
		if err != nil {
			log, _ := runDocker(ctx, "logs", "--tail", "5", name)
			return nil, nil, errors.Join(fmt.Errorf("%w: %s", err, log), remove())
		}
		address, _, _ = strings.Cut(address, "\n")
		return openCopy(ctx, file, address, open, remove)
	}
}

// containerName returns the name of the container for a copy. It is a hash of the folder of the
// backups: Verify makes one copy at a time in this folder, so the name also finds a container that
// an earlier verification left behind.
func containerName(file string) string {
	folder := filepath.Dir(filepath.Dir(file))
	return fmt.Sprintf("peerledger-verify-%x", sha256.Sum256([]byte(folder)))[:len("peerledger-verify-")+16]
}

// ensureImage pulls a missing image. A pull may take long, and ends with ctx.
func ensureImage(ctx context.Context, image string) error {
	if _, err := runDocker(ctx, "image", "inspect", "--format", "{{.Id}}", image); err == nil {
		return nil
	}
	_, err := runDocker(ctx, "pull", "--quiet", image)
	return err
}

// createContainer is not interrupted by ctx: otherwise the existence of the container would be
// unknown.
func createContainer(ctx context.Context, name, image, file string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	folder, base := filepath.Split(file)
	args := []string{
		"create", "--name", name, "--security-opt", "seccomp=unconfined", "--cap-add", "IPC_LOCK",
		"--publish", "127.0.0.1::3001", "--volume", filepath.Clean(folder) + ":/data", image, "start", "--addresses=0.0.0.0:3001",
	}
	return callWithTimeout(ctx, dockerTimeout, func(ctx context.Context) error {
		_, err := runDocker(ctx, append(append(args, copyFlags()...), "/data/"+base)...)
		return err
	})
}

// removeContainer removes a container in any state. A missing container is no error.
func removeContainer(ctx context.Context, name string) error {
	return callWithTimeout(ctx, dockerTimeout, func(ctx context.Context) error {
		_, err := runDocker(ctx, "rm", "--force", "--volumes", name)
		if err != nil && strings.Contains(err.Error(), "No such container") { // newer releases of docker report no error
			return nil
		}
		return err
	})
}

// runDocker runs the docker command out of reach of Ctrl-C, and returns its output.
func runDocker(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
	setProcessGroup(cmd)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
