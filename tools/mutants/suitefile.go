package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// nameSuiteFile returns the file in dir that caches the suite of a package. The name changes with
// the files of the package, and with the code of each package in imported: its tests execute both.
func nameSuiteFile(dir string, pkg *goPackage, imported []string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s\n", runtime.Version(), pkg.importPath)
	for _, folder := range append([]string{pkg.dir}, imported...) {
		if err := hashCode(sum, folder, folder == pkg.dir); err != nil {
			return "", err
		}
	}
	name := fmt.Sprintf("suite-%s-%x.gob", strings.ReplaceAll(pkg.folder, "/", "-"), sum.Sum(nil)[:8])
	return filepath.Join(dir, name), nil
}

// hashCode writes the Go files of a folder to a hash, with or without tests.
func hashCode(sum io.Writer, folder string, withTests bool) error {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if !withTests && strings.HasSuffix(name, "_test.go") {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n%s\n", filepath.Base(name), len(content), content)
	}
	return nil
}

// readSuite returns nil if the file is missing or unreadable; the suite is then measured.
func readSuite(name string, pkg *goPackage) *suite {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	s := &suite{pkg: pkg}
	if gob.NewDecoder(bytes.NewReader(content)).Decode(s) != nil {
		return nil
	}
	return s
}

func writeSuite(name string, s *suite) error {
	var content bytes.Buffer
	if err := gob.NewEncoder(&content).Encode(s); err != nil {
		return err
	}
	return os.WriteFile(name, content.Bytes(), 0o600)
}
