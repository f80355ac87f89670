package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// The ledger in a folder is measured in processes of their own, one a step: each begins with an
// empty heap, and one of them is killed. A step's process runs the same program with stepEnv set,
// reads a folderRequest from its standard input, and prints its result as one line of JSON.
const (
	stepEnv = "PEERLEDGER_BENCH_STEP"

	stepFill  = "fill"  // writes all rows, measures on the way, and closes the ledger
	stepOpen  = "open"  // opens the folder, and asks
	stepWrite = "write" // writes more rows, prints its result, and writes on until it is killed
)

// folderRequest says what a step has to do.
type folderRequest struct {
	Step   string
	Folder string
	First  int64 // number of the first packet to write: so many are in the folder
	Rows   int64 // to write
	Peers  int
	Lanes  int
	Seed   uint64
	Cold   bool          // drop the folder's files from the page cache before opening
	Probes []folderProbe // to ask for
}

// folderProbe is a packet whose rows are known: its hold, and a post with the same tag.
type folderProbe struct {
	Hold, Debit, Credit ledger.ID
	Tag                 uint64 // user_data_64 of both rows
}

// runFolder measures a ledger in a folder: memory, disk, throughput, look-ups and opening.
func (b *Bench) runFolder(ctx context.Context, stdout, stderr io.Writer) (err error) {
	folder, remove, err := b.opts.makeFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	rep, err := b.measureSteps(ctx, folder, stderr)
	if err != nil {
		return err
	}
	if b.opts.json {
		return rep.writeJSON(stdout)
	}
	return rep.writeTables(stdout)
}

// folderName is the ledger's folder, in the folder of the measurement.
const folderName = "ledger"

// makeFolder returns the folder of the measurement. A folder given by the user stays.
func (o *options) makeFolder() (folder string, remove func() error, err error) {
	if o.ledgerDir == "" {
		folder, err = os.MkdirTemp("", "peerledger-bench-")
		return folder, func() error { return os.RemoveAll(folder) }, err
	}
	found, err := embedded.Exists(filepath.Join(o.ledgerDir, folderName))
	if err == nil && found {
		err = fmt.Errorf("%w: -ledger-dir: there is a ledger in %s already", ErrUsage, filepath.Join(o.ledgerDir, folderName))
	}
	return o.ledgerDir, func() error { return nil }, err
}

// measureSteps runs the steps one after another.
func (b *Bench) measureSteps(ctx context.Context, folder string, stderr io.Writer) (rep *folderReport, err error) {
	base := newBaseScenario(b.opts, phaseTwo)
	request := folderRequest{
		Folder: filepath.Join(folder, folderName), Rows: b.opts.rows, Peers: base.peers, Lanes: base.lanes, Seed: b.opts.seed,
	}
	rep = &folderReport{inMemory: isInMemory(folder)}
	if err := b.runStep(ctx, request.as(stepFill), &rep.filled, stderr); err != nil {
		return nil, err
	}
	request.First, request.Probes = b.opts.rows/rowsOfPacket, rep.filled.Probes
	for _, open := range []struct {
		cold bool
		to   *folderOpened
	}{{false, &rep.clean}, {true, &rep.cleanCold}} {
		request.Cold = open.cold
		if err := b.runStep(ctx, request.as(stepOpen), open.to, stderr); err != nil {
			return nil, err
		}
	}
	request.Cold, request.Rows = false, b.opts.tail
	var tail folderWritten
	if err := b.runStep(ctx, request.as(stepWrite), &tail, stderr); err != nil {
		return nil, err
	}
	request.First += b.opts.tail / rowsOfPacket
	request.Probes = append(request.Probes, tail.Probes...)
	return rep, b.runStep(ctx, request.as(stepOpen), &rep.killed, stderr)
}

func (r folderRequest) as(step string) folderRequest {
	r.Step = step
	return r
}

// runStep runs a step in a process of its own and reads its result. The process of stepWrite is
// killed when it has printed its result.
func (b *Bench) runStep(ctx context.Context, request folderRequest, result any, stderr io.Writer) error {
	command, err := b.newStep(ctx)
	if err != nil {
		return err
	}
	input, err := json.Marshal(request)
	if err != nil {
		return err
	}
	command.Env = append(os.Environ(), stepEnv+"=1")
	command.Stderr = stderr
	command.Stdin = bytes.NewReader(input)
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	line, readErr := bufio.NewReader(output).ReadBytes('\n')
	if request.Step == stepWrite {
		_ = command.Process.Kill() // an error means that it has ended by itself, which readErr says too
	}
	waitErr := command.Wait()
	switch {
	case readErr != nil:
		return fmt.Errorf("step %s: the process ended without a result: %w", request.Step, errors.Join(waitErr, context.Cause(ctx)))
	case request.Step != stepWrite && waitErr != nil:
		return fmt.Errorf("step %s: %w", request.Step, waitErr)
	}
	return json.Unmarshal(line, result)
}

// runThisProgram returns this program's command line, to be run once more for a step.
func runThisProgram(ctx context.Context) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, program, os.Args[1:]...), nil
}

// isStep reports whether this process runs a step.
func isStep() bool { return os.Getenv(stepEnv) != "" }

// runStepHere runs the step of this process.
func runStepHere(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	var request folderRequest
	if err := json.NewDecoder(stdin).Decode(&request); err != nil {
		return fmt.Errorf("read the step: %w", err)
	}
	step := &folderStep{folderRequest: request, stdout: stdout, stderr: stderr}
	switch request.Step {
	case stepFill:
		return step.fill(ctx)
	case stepOpen:
		return step.open(ctx)
	default:
		return step.write(ctx)
	}
}

// folderStep is a step in its own process.
type folderStep struct {
	folderRequest
	stdout, stderr io.Writer
}

func (s *folderStep) printResult(result any) error {
	line, err := json.Marshal(result)
	if err != nil {
		return err
	}
	_, err = s.stdout.Write(append(line, '\n'))
	return err
}
