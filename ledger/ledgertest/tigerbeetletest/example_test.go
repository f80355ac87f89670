//go:build cgo && unix

package tigerbeetletest_test

import (
	"fmt"
	"io"
	"net"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// A proxy between a client and a server refuses connections until Heal.
func ExampleProxy() {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for { // an echo server
			conn, err := server.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	}()
	proxy, err := tigerbeetletest.NewProxy(server.Addr().String())
	if err != nil {
		panic(err)
	}
	fmt.Println(exchangeText(proxy.Addr(), "hello"))

	proxy.Refuse()
	fmt.Println(exchangeText(proxy.Addr(), "anybody there?"))

	if err := proxy.Heal(); err != nil {
		panic(err)
	}
	fmt.Println(exchangeText(proxy.Addr(), "hello again"))
	fmt.Println(proxy.Passed())

	proxy.Close()
	_ = server.Close()
	<-served
	// Output:
	// hello
	// refused
	// hello again
	// 16 16
}

// exchangeText sends a text and returns the reply.
func exchangeText(address, words string) string {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return "refused"
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, words); err != nil {
		return err.Error()
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err.Error()
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	return string(answer)
}
