// Command ordertrace shows the trace of one settlement through two engines and a takeover, in three processes that
// export to an OpenTelemetry Collector:
//
//	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 go run .
//
// The command itself is the rail, which pays once for a key. The first process has the books in a folder: it places
// an order, has the order paid, and is killed before the rail's answer. The second process opens the same books as
// another instance, takes the order over after the lease, and finishes it. Each process is a service of its own, and
// all spans are one trace, whose id is the order's id.
//
// The picture of docs/observability.md is drawn from the output of the Collector's debug exporter with verbosity
// detailed:
//
//	go run . draw <collector.log >order-trace.svg
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "engine":
		err = runEngine(ctx, os.Args[2], os.Args[3])
	case len(os.Args) == 2 && os.Args[1] == "draw":
		err = drawTrace(os.Stdout, os.Stdin)
	case len(os.Args) == 1:
		err = runAll(ctx)
	default:
		err = errors.New("usage: ordertrace [draw]")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// runAll serves the rail, and runs the engines one after the other.
func runAll(ctx context.Context) error {
	spans, flush, err := newProvider(ctx, "rail")
	if err != nil {
		return err
	}
	rail := &rail{tracer: spans.Tracer("rail"), paid: map[string]bool{}, asked: make(chan string)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: rail, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	folder, err := os.MkdirTemp("", "ordertrace")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()

	first := newEngineProcess(ctx, folder, "first", listener.Addr().String())
	if err := first.Start(); err != nil {
		return err
	}
	select {
	case id := <-rail.asked: // paid, and not answered
		fmt.Println("order and trace", id)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	time.Sleep(time.Second) // the first engine waits for the answer, and exports the call that it gave up
	if err := first.Process.Kill(); err != nil {
		return err
	}
	_ = first.Wait()
	second := newEngineProcess(ctx, folder, "second", listener.Addr().String())
	if err := second.Start(); err != nil {
		return err
	}
	go func() { <-rail.asked }()
	return errors.Join(second.Wait(), flush(ctx))
}

// newEngineProcess returns the process of an engine.
func newEngineProcess(ctx context.Context, folder, instance, address string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	process := exec.CommandContext(ctx, self, "engine", folder, instance)
	process.Env = append(os.Environ(), "RAIL=http://"+address)
	process.Stdout, process.Stderr = os.Stdout, os.Stderr
	return process
}
