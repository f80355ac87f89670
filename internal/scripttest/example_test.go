package scripttest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/peerledger/peerledger/internal/scripttest"
)

func Example() {
	folder, err := os.MkdirTemp("", "script")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a temporary folder
	path := filepath.Join(folder, "pay.sh")
	if err := scripttest.WriteExecutable(path, "#!/bin/sh\necho 30\n"); err != nil {
		fmt.Println(err)
		return
	}
	out, err := exec.Command(path).Output()
	fmt.Print(string(out), err, "\n")
	// Output:
	// 30
	// <nil>
}
