package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A goPackage is a package whose code is mutated.
type goPackage struct {
	folder     string // from the root of the module, with slashes
	importPath string
	dir        string
	files      []string // of this platform, without tests
}

// loadPackage runs "go list" for a folder of the module at root.
func loadPackage(ctx context.Context, root, folder string) (*goPackage, error) {
	folder = filepath.ToSlash(filepath.Clean(folder))
	list := exec.CommandContext(ctx, "go", "list", "-json=ImportPath,Dir,GoFiles,CgoFiles", "./"+folder)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", folder, explainError(err))
	}
	var listed struct {
		ImportPath, Dir   string
		GoFiles, CgoFiles []string
	}
	if err := json.Unmarshal(out, &listed); err != nil {
		return nil, fmt.Errorf("package %s: %w", folder, err)
	}
	return &goPackage{
		folder: folder, importPath: listed.ImportPath, dir: listed.Dir, files: append(listed.GoFiles, listed.CgoFiles...),
	}, nil
}

// listImported returns the folders of the module's packages that a package and its tests import,
// directly and through others, in order.
func listImported(ctx context.Context, root string, pkg *goPackage) ([]string, error) {
	const mainModuleFolder = `{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}`
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-test", "-f", mainModuleFolder, pkg.importPath)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", pkg.folder, explainError(err))
	}
	folders := slices.DeleteFunc(strings.Split(string(out), "\n"), func(folder string) bool { return folder == "" || folder == pkg.dir })
	slices.Sort(folders)
	return slices.Compact(folders), nil
}

// findRoot returns the root of the module of the working directory.
func findRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", explainError(err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("the working directory is in no module")
	}
	return filepath.Dir(mod), nil
}

// explainError adds the stderr of a command to its error.
func explainError(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
