package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// A buildCache is a build cache of Go's for mutants alone: each leaves some 10 MB that nobody
// needs again. It keeps what the unchanged tree needs. Several goroutines may use it.
type buildCache struct {
	dir string // "" for Go's own, which is left as it is

	using sync.RWMutex // held while something is built, and exclusively while files are removed
	mu    sync.Mutex
	kept  map[string]bool // nil until keep was called
	built int             // since the last removal
}

// removeEvery is after how many mutants what they left is removed.
const removeEvery = 20

// buildEnvironment is the environment of a build.
func (c *buildCache) buildEnvironment() []string {
	if c.dir == "" {
		return os.Environ()
	}
	return append(os.Environ(), "GOCACHE="+c.dir)
}

// keepFiles has all files kept that there are now.
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

// finishMutant says that a mutant is built and tried, and removes what mutants left every so often.
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
