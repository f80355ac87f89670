package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// A buildCache is a Go build cache for mutants alone. Each mutant leaves some 10 MB that are never
// needed again. The files of the unchanged tree are kept. Several goroutines may use a buildCache.
type buildCache struct {
	dir string // "": Go's own cache, left unchanged

	using sync.RWMutex // held for a build, and exclusively for removing files
	mu    sync.Mutex
	kept  map[string]bool // nil before keepFiles
	built int             // since the last removal
}

// removeEvery is the number of mutants between two removals of their files.
const removeEvery = 20

// buildEnvironment returns the environment of a build.
func (c *buildCache) buildEnvironment() []string {
	if c.dir == "" {
		return os.Environ()
	}
	return append(os.Environ(), "GOCACHE="+c.dir)
}

// keepFiles marks all present files to be kept.
func (c *buildCache) keepFiles() error {
	if c.dir == "" {
		return nil
	}
	kept := make(map[string]bool)
	err := c.walkFiles(func(name string) error {
		kept[name] = true
		return nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = kept
	return err
}

// finishMutant counts a mutant, and after removeEvery mutants removes their files.
func (c *buildCache) finishMutant() error {
	c.mu.Lock()
	c.built++
	due := c.kept != nil && c.built >= removeEvery
	if due {
		c.built = 0
	}
	c.mu.Unlock()
	if !due {
		return nil
	}
	c.using.Lock()
	defer c.using.Unlock()
	return c.walkFiles(func(name string) error {
		if c.kept[name] {
			return nil
		}
		return os.Remove(name)
	})
}

func (c *buildCache) walkFiles(do func(name string) error) error {
	return filepath.WalkDir(c.dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return do(name)
	})
}
