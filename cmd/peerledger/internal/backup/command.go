package backup

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Shell returns a function that runs a command of the operator with sh, for [Options.Stop] and
// [Options.Start]. The output goes to out. The command runs in its own process group, so Ctrl-C
// does not reach it: a half-stopped server would stop after Start. For the same reason the command
// cannot ask for a password on the terminal. The end of the context kills the whole group.
func Shell(command string, out io.Writer) func(context.Context) error {
	return func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, time.Second
		setProcessGroup(cmd)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		return nil
	}
}
