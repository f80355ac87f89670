package sealed_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/peerledger/peerledger/internal/sealed"
)

// A file of one block, and its damage.
func Example() {
	path, err := os.MkdirTemp("", "sealed")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(path) }()
	folder, format := sealed.OSFolder(path), sealed.Format{Magic: "GREETING", Version: 1}

	w, err := sealed.CreateFile(folder, "greeting", format, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Discard()
	w.NewSection(sealed.HeaderBytes).AppendBlock([]byte("hello"))
	size, err := w.Finish() // the file is on disk
	if err != nil {
		log.Fatal(err)
	}

	r, err := sealed.OpenFile(folder, "greeting", format, size, w.HeaderSum())
	if err != nil {
		log.Fatal(err)
	}
	block, err := r.ReadBlock(sealed.HeaderBytes, make([]byte, 5+sealed.SumBytes))
	fmt.Println(string(block), err)

	if f, err := os.OpenFile(filepath.Join(path, "greeting"), os.O_WRONLY, 0); err == nil {
		_, _ = f.WriteAt([]byte("j"), sealed.HeaderBytes)
		_ = f.Close()
	}
	_, err = r.ReadBlock(sealed.HeaderBytes, make([]byte, 5+sealed.SumBytes))
	var corrupt *sealed.CorruptError
	fmt.Println(errors.As(err, &corrupt), corrupt.Offset, corrupt.Reason)
	fmt.Println(r.Close())
	// Output:
	// hello <nil>
	// true 4096 the checksum does not match
	// <nil>
}
