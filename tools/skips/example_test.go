package main

import (
	"fmt"
	"os"
	"strings"
)

// One test passes, and one is skipped.
func Example() {
	events := strings.NewReader(`{"Action":"output","Package":"a","Test":"TestRules","Output":"    a_test.go:9: needs promtool: install it (Debian: prometheus)\n"}
{"Action":"skip","Package":"a","Test":"TestRules"}
{"Action":"pass","Package":"a","Test":"TestOther"}
{"Action":"output","Package":"a","Output":"ok  \ta\t0.1s\n"}
{"Action":"pass","Package":"a"}
`)
	if err := run(options{}, events, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ok  	a	0.1s
	// skipped tests: 1
	//     1  for want of promtool
	//        to enable: install it (Debian: prometheus)
	//          a.TestRules
}
