//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"path"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// silent keeps the banners of testcontainers out of test output.
var silent = log.New(io.Discard, "", 0)

// openDocker opens a client of the daemon found by testcontainers.
func openDocker(ctx context.Context) (*testcontainers.DockerClient, error) {
	return testcontainers.NewDockerClientWithOpts(ctx)
}

// ensureImages pulls the images that are missing, or fails at once unless mayPull is set. The error
// is nil if all images are present.
func ensureImages(ctx context.Context, mayPull bool) (err error) {
	defer func() { // testcontainers panics where it finds no Docker
		if cause := recover(); cause != nil {
			err = fmt.Errorf("no Docker: %v", cause)
		}
	}()
	provider, err := testcontainers.NewDockerProvider(testcontainers.WithLogger(silent))
	if err != nil {
		return fmt.Errorf("no Docker: %w", err)
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	if _, err := provider.Client().Ping(ctx, client.PingOptions{}); err != nil {
		return fmt.Errorf("no Docker: %w", err)
	}
	images := []string{Image}
	if !testcontainers.ReadConfig().RyukDisabled {
		images = append(images, testcontainers.ReaperDefaultImage) //nolint:staticcheck // testcontainers starts it first, and has no other name for it in public
	}
	for _, image := range images {
		if err := ensureImage(ctx, provider.Client(), image, mayPull); err != nil {
			return fmt.Errorf("image %s is not here and cannot be pulled: %w", image, err)
		}
	}
	return nil
}

// ensureImage pulls one image if it is missing.
func ensureImage(ctx context.Context, d client.APIClient, image string, mayPull bool) error {
	_, err := d.ImageInspect(ctx, image)
	if err == nil {
		return nil
	}
	if !mayPull {
		return fmt.Errorf("PEERLEDGER_PULL is never: %w", err)
	}
	pulling, err := d.ImagePull(ctx, image, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	if _, err = io.Copy(io.Discard, pulling); err == nil {
		_, err = d.ImageInspect(ctx, image)
	}
	return errors.Join(err, pulling.Close())
}

// containers runs replicas as containers.
type containers struct{}

// dataFolder is the mount point of a replica's volume.
const dataFolder = "/data"

// memlocks are the limits of locked memory to try, in bytes: unlimited, or else a usual limit, for
// a daemon that may not lift its own. TigerBeetle then runs with a warning in its log.
var memlocks = []int64{-1, 8 << 20}

func (containers) createServer(ctx context.Context, spec replicaSpec) (server, error) {
	c := &containerServer{spec: spec, volume: fmt.Sprintf("tigerbeetletest-%v-%d", spec.cluster, spec.replica)}
	var err error
	for _, c.memlock = range memlocks {
		if err = c.formatFile(ctx); err == nil || !strings.Contains(err.Error(), "rlimit") {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.removeServer(ctx))
	}
	return c, nil
}

// formatFile makes the data file with a separate container, which exits after the format.
func (c *containerServer) formatFile(ctx context.Context) error {
	format, err := testcontainers.Run(ctx, Image, c.buildOptions(c.spec.formatArgs, wait.ForExit())...)
	if format == nil {
		return err
	}
	if err == nil {
		var state *container.State
		if state, err = format.State(ctx); err == nil && state.ExitCode != 0 {
			text, logErr := readLog(ctx, format)
			err = errors.Join(fmt.Errorf("format ended with status %d: %s", state.ExitCode, text), logErr)
		}
	}
	return errors.Join(err, format.Terminate(ctx))
}

// containerServer is a replica as a container. The image's entry point is tini with TigerBeetle:
// the command holds only TigerBeetle's arguments, and tini is PID 1.
type containerServer struct {
	spec      replicaSpec
	volume    string
	memlock   int64
	container *testcontainers.DockerContainer // nil until created
}

func (c *containerServer) buildOptions(
	args func(file string) []string, strategy wait.Strategy,
) []testcontainers.ContainerCustomizer {
	return []testcontainers.ContainerCustomizer{
		testcontainers.WithLogger(silent),
		testcontainers.WithCmd(args(path.Join(dataFolder, c.spec.fileName()))...),
		testcontainers.WithHostConfigModifier(func(host *container.HostConfig) {
			host.NetworkMode = "host"
			host.SecurityOpt = []string{"seccomp=unconfined"} // io_uring
			host.Ulimits = []*container.Ulimit{{Name: "memlock", Soft: c.memlock, Hard: c.memlock}}
			host.Mounts = []mount.Mount{{
				Type: mount.TypeVolume, Source: c.volume, Target: dataFolder,
				// With these labels Ryuk, if running, removes the volume of a killed test.
				VolumeOptions: &mount.VolumeOptions{Labels: testcontainers.GenericLabels()},
			}}
		}),
		testcontainers.WithWaitStrategy(strategy),
	}
}

func (c *containerServer) startServer(ctx context.Context) (err error) {
	if c.container != nil {
		return c.container.Start(ctx)
	}
	// The log shows that the replica listens. Ready waits until the replica answers.
	c.container, err = testcontainers.Run(ctx, Image, c.buildOptions(c.spec.startArgs, wait.ForLog("listening on"))...)
	return err
}

func (c *containerServer) stopServer(ctx context.Context) error {
	timeout := 10 * time.Second
	return c.container.Stop(ctx, &timeout)
}

func (c *containerServer) killServer(ctx context.Context) error {
	return c.callDaemon(ctx, func(d *testcontainers.DockerClient, id string) error {
		waiting := d.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
		if _, err := d.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
			return err
		}
		select {
		case <-waiting.Result:
			return nil
		case err := <-waiting.Error:
			return err
		}
	})
}

func (c *containerServer) pauseServer(ctx context.Context) error {
	return c.callDaemon(ctx, func(d *testcontainers.DockerClient, id string) error {
		_, err := d.ContainerPause(ctx, id, client.ContainerPauseOptions{})
		return err
	})
}

func (c *containerServer) resumeServer(ctx context.Context) error {
	return c.callDaemon(ctx, func(d *testcontainers.DockerClient, id string) error {
		_, err := d.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
		return err
	})
}

// callDaemon calls the Docker daemon directly, for functions missing in testcontainers.
func (c *containerServer) callDaemon(ctx context.Context, action func(*testcontainers.DockerClient, string) error) error {
	d, err := openDocker(ctx)
	if err != nil {
		return err
	}
	return errors.Join(action(d, c.container.GetContainerID()), d.Close())
}

func (c *containerServer) readLog(ctx context.Context) (string, error) {
	if c.container == nil {
		return "", nil
	}
	return readLog(ctx, c.container)
}

func readLog(ctx context.Context, c testcontainers.Container) (string, error) {
	reader, err := c.Logs(ctx)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(reader)
	return string(text), errors.Join(err, reader.Close())
}

func (c *containerServer) removeServer(ctx context.Context) (err error) {
	if c.container != nil {
		err = c.container.Terminate(ctx, testcontainers.StopTimeout(0))
	}
	d, dockerErr := openDocker(ctx)
	if dockerErr != nil {
		return errors.Join(err, dockerErr)
	}
	_, volumeErr := d.VolumeRemove(ctx, c.volume, client.VolumeRemoveOptions{Force: true})
	return errors.Join(err, volumeErr, d.Close())
}
