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

// dockerTimeout is how long docker gets for what must come to its end: to make a container,
// and to remove it.
const dockerTimeout = time.Minute

// Container is a Server that runs an image with the docker command, on Docker's own bridge,
// where it meets no other server. Its port is on 127.0.0.1. It takes as much memory as Binary
// does by default. The container is removed whatever happens; one of a process that was
// killed is removed by the next verification of the same backups.
func Container(image string, open OpenCluster) Server {
	return func(ctx context.Context, file string) (l ledger.Ledger, stop func() error, err error) {
		file, err = filepath.Abs(file) // docker takes other names for those of volumes
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

// containerName is that of the container for a copy. Verify puts each copy into a folder of
// its own beside the backups, one at a time, so the name is made of the folder of those: it
// is that of a container that was left behind, too.
func containerName(file string) string {
	folder := filepath.Dir(filepath.Dir(file))
	return fmt.Sprintf("peerledger-verify-%x", sha256.Sum256([]byte(folder)))[:len("peerledger-verify-")+16]
}

// ensureImage pulls an image that is not there, which may take long and be interrupted.
func ensureImage(ctx context.Context, image string) error {
	if _, err := runDocker(ctx, "image", "inspect", "--format", "{{.Id}}", image); err == nil {
		return nil
	}
	_, err := runDocker(ctx, "pull", "--quiet", image)
	return err
}

// createContainer is not cut short: nobody would know whether there is a container.
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

// removeContainer removes a container, whatever state it is in, if it is there.
func removeContainer(ctx context.Context, name string) error {
	return callWithTimeout(ctx, dockerTimeout, func(ctx context.Context) error {
		_, err := runDocker(ctx, "rm", "--force", "--volumes", name)
		if err != nil && strings.Contains(err.Error(), "No such container") { // newer ones do not mind
			return nil
		}
		return err
	})
}

// runDocker runs the docker command, which Ctrl-C does not reach, and returns what it printed.
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
