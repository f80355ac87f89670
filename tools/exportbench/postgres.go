//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// postgres is a server with the rows in a table.
type postgres struct {
	o      *options
	folder string // of data and socket
}

// startPostgres starts a server, and fills its table with the rows of a file.
func startPostgres(ctx context.Context, o *options, work, file string) (*postgres, error) {
	p := &postgres{o: o, folder: filepath.Join(work, "postgres")}
	if err := os.Mkdir(p.folder, 0o700); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := p.giveFolder(work); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(p.folder, "data")
	if err := p.run(ctx, "initdb", "-D", data, "-U", "bench", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"); err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("-c listen_addresses= -c unix_socket_directories=%s -c shared_buffers=512MB -c max_wal_size=8GB -c autovacuum=off", p.folder)
	if err := p.run(ctx, "pg_ctl", "-D", data, "-w", "-l", filepath.Join(p.folder, "log"), "-o", settings, "start"); err != nil {
		return nil, err
	}
	if err := p.fill(ctx, file); err != nil {
		return nil, errors.Join(err, p.stop(context.WithoutCancel(ctx)))
	}
	return p, nil
}

// giveFolder gives the folder to the server's user.
func (p *postgres) giveFolder(work string) error {
	owner, err := user.Lookup(p.o.user)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return err
	}
	return errors.Join(os.Chown(p.folder, uid, -1), os.Chmod(work, 0o755)) //nolint:gosec // the server's user has to reach the folder
}

// fill makes the table, as PostgreSQL reads it fastest: frozen, vacuumed and without an index.
func (p *postgres) fill(ctx context.Context, file string) error {
	definitions := make([]string, len(columns))
	for i, name := range columns {
		kind := "text"
		if !p.o.text && (name == "amount" || strings.HasSuffix(name, "_balance")) {
			kind = "numeric"
		}
		definitions[i] = name + " " + kind
	}
	before := p.serverTime()
	_, err := p.query(ctx,
		"begin", "create table entries ("+strings.Join(definitions, ", ")+")",
		fmt.Sprintf(`\copy entries from '%s' with (format csv, header, freeze)`, file),
		"commit", "vacuum analyze entries", "checkpoint")
	p.awaitServerTime(before)
	return err
}

// copyTo copies the table to a file, and returns the time.
func (p *postgres) copyTo(ctx context.Context, file string) (used cost, err error) {
	began, server := time.Now(), p.serverTime()
	client, err := p.query(ctx, fmt.Sprintf(`\copy (select * from entries) to '%s' with (format csv, header)`, file))
	took := time.Since(began)
	return cost{took, client + p.awaitServerTime(server) - server}, err
}

// awaitServerTime waits until the server counts a process that has ended, and returns its processor time. After a second
// the process used none.
func (p *postgres) awaitServerTime(before time.Duration) time.Duration {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		if now := p.serverTime(); now != before {
			return now
		}
		<-tick.C
	}
	return before
}

// serverTime returns the processor time of the server's processes that have ended.
func (p *postgres) serverTime() time.Duration {
	pid, _ := os.ReadFile(filepath.Join(p.folder, "data", "postmaster.pid"))
	number, _, _ := strings.Cut(string(pid), "\n")
	stat, _ := os.ReadFile(filepath.Join("/proc", number, "stat"))
	_, rest, _ := strings.Cut(string(stat), ") ")
	const childUser, childSystem, tick = 13, 14, 10 * time.Millisecond // fields behind the name; a tick is 1/100 s on Linux
	sum := time.Duration(0)
	for i, field := range strings.Fields(rest) {
		if n, err := strconv.Atoi(field); err == nil && (i == childUser || i == childSystem) {
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// query runs commands of psql, and returns psql's processor time.
func (p *postgres) query(ctx context.Context, commands ...string) (time.Duration, error) {
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", p.folder, "-U", "bench", "-d", "postgres"}
	for _, command := range commands {
		args = append(args, "-c", command)
	}
	psql := exec.CommandContext(ctx, filepath.Join(p.o.postgres, "psql"), args...)
	if err := runCommand(psql); err != nil {
		return 0, err
	}
	return psql.ProcessState.UserTime() + psql.ProcessState.SystemTime(), nil
}

// run runs a program of the server, as its user if this process is root's.
func (p *postgres) run(ctx context.Context, program string, args ...string) error {
	path := filepath.Join(p.o.postgres, program)
	command := exec.CommandContext(ctx, path, args...)
	if os.Geteuid() == 0 {
		command = exec.CommandContext(ctx, "runuser", append([]string{"-u", p.o.user, "--", path}, args...)...)
	}
	command.Dir = p.folder
	return runCommand(command)
}

func runCommand(command *exec.Cmd) error {
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command.Path, err, output)
	}
	return nil
}

// stop ends the server.
func (p *postgres) stop(ctx context.Context) error {
	return p.run(ctx, "pg_ctl", "-D", filepath.Join(p.folder, "data"), "-m", "immediate", "-w", "stop")
}
