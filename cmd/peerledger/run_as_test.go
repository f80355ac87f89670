package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// runAsEnv names the program that the test binary runs as: "peerledger", or "tigerbeetle", a wrapper
// that takes the commands format and start of TigerBeetle's server.
const runAsEnv = "PEERLEDGER_TEST_RUN_AS"

// fileLimitEnv is the size in bytes of the largest file that the program can write.
const fileLimitEnv = "PEERLEDGER_TEST_FILE_LIMIT"

// runMax bounds a process that a failed test leaves behind.
const runMax = 5 * time.Minute

// runAs runs the program with the process's arguments. It does not return.
func runAs(program string) {
	time.AfterFunc(runMax, func() { os.Exit(1) })
	switch {
	case program == "tigerbeetle" && os.Args[1] == "format":
		if err := os.Mkdir(os.Args[len(os.Args)-1], 0o700); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case program == "tigerbeetle":
		os.Args = append(os.Args[:1], translateStart(os.Args[2:])...)
	}
	if limitFiles != nil && os.Getenv(fileLimitEnv) != "" {
		if err := limitFiles(os.Getenv(fileLimitEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	main()
}

// translateStart returns the arguments of peerledger for those of "tigerbeetle start". It waits
// until no server listens on the address: TigerBeetle's Go tests kill a server without waiting for
// its end, and start the next one at once.
func translateStart(args []string) []string {
	file := args[len(args)-1]
	cluster, _, _ := strings.Cut(filepath.Base(file), "_")
	address := ""
	for _, arg := range args {
		if port, found := strings.CutPrefix(arg, "--addresses="); found {
			address = "127.0.0.1:" + port
		}
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		if listener, err := net.Listen("tcp", address); err == nil {
			_ = listener.Close()
			break
		}
	}
	return []string{"serve", "--folder", file, "--cluster-id", cluster, "--address", address}
}

// patience bounds the waits for other processes.
const patience = 20 * time.Second
