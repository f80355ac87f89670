package progress_test

import (
	"fmt"
	"strings"

	"github.com/peerledger/peerledger/internal/progress"
)

func Example() {
	var terminal strings.Builder
	p := progress.New(&terminal, true, "counting", 0)
	p.Start(3)
	for range 3 {
		p.Step()
	}
	p.Stop(nil)
	fmt.Println(strings.Contains(terminal.String(), "counting"), strings.Contains(terminal.String(), "3"))

	var hidden strings.Builder
	p = progress.New(&hidden, false, "counting", 0)
	p.Start(1)
	p.Step()
	p.Stop(nil)
	fmt.Printf("%q\n", hidden.String())
	// Output:
	// true true
	// ""
}
