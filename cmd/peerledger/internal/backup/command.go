package backup

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Shell runs a command of the operator's with sh, for Options.Stop and Options.Start. What it
// prints goes to out. It runs in a process group of its own, so that Ctrl-C does not reach
// it: a server that is half stopped would stop after it was started again. So it cannot ask
// for a password on the terminal. When the context ends, the whole group is killed.
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
