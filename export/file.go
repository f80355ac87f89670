package export

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// ErrTarget is returned when the path of the file names a folder, a device or a link: a rename would replace it.
var ErrTarget = errors.New("export: the path names something that is no file")

// WriteFile exports to a file, in the place of a file with the name. The file is written under a temporary name, synced and
// renamed: under its own name the file is always complete, whatever fails or crashes. A crash can leave the temporary
// file, ".NAME-*.tmp". Only the user can read the file.
//
// Errors: as for [Run], [ErrTarget] if the path names a folder, a device or a link, or of the file system. The file
// is then as before.
func WriteFile(ctx context.Context, l ledger.Ledger, book *accounts.Book, q Query, path string, format Format) (*Summary, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s", ErrTarget, path)
	}
	x, err := newExporter(l, book, q)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	temporary := "." + name + "-" + randomText() + temporarySuffix
	folder := sealed.OSFolder(filepath.Dir(path))
	if err := x.writeFile(ctx, folder, temporary, name, format); err != nil {
		return nil, err
	}
	return &x.summary, nil
}

const temporarySuffix = ".tmp"

func randomText() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// writeFile runs the export to a file.
func (x *exporter) writeFile(ctx context.Context, folder sealed.Folder, temporary, name string, format Format) error {
	return replaceFile(folder, temporary, name, func(w io.Writer) error { return x.run(ctx, format.NewWriter(w)) })
}

// replaceFile writes a file under a temporary name, and renames it when all is on disk. After an error the
// temporary file is removed.
func replaceFile(folder sealed.Folder, temporary, name string, write func(io.Writer) error) error {
	file, err := folder.CreateFile(temporary)
	if err != nil {
		return err
	}
	out := newFileWriter(file)
	err = write(out)
	if finished := out.finish(); finished != nil { // the cause of an error of write
		err = finished
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = folder.RenameFile(temporary, name)
	}
	if err != nil {
		return errors.Join(err, folder.RemoveFile(temporary))
	}
	return folder.SyncFolder()
}
