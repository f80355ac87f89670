package monitoring

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDescribeBuild(t *testing.T) {
	t.Parallel()
	other := debug.Module{Path: "example.com/connector", Version: "v9.9.9"}
	own := debug.Module{Path: modulePath, Version: "v0.36.0"}
	for name, c := range map[string]struct {
		build *debug.BuildInfo
		known bool
		want  [2]string
	}{
		"a connector":   {&debug.BuildInfo{GoVersion: "go1.26.7", Main: other, Deps: []*debug.Module{{Path: "x"}, &own}}, true, [2]string{"v0.36.0", "go1.26.7"}},
		"the command":   {&debug.BuildInfo{GoVersion: "go1.26.7", Main: own, Deps: []*debug.Module{&other}}, true, [2]string{"v0.36.0", "go1.26.7"}},
		"a test":        {&debug.BuildInfo{GoVersion: "go1.26.7", Main: debug.Module{Path: modulePath}}, true, [2]string{"unknown", "go1.26.7"}},
		"not by Go 1.x": {nil, false, [2]string{"unknown", "unknown"}},
	} {
		version, goVersion := describeBuild(c.build, c.known)
		require.Equal(t, c.want, [2]string{version, goVersion}, name)
	}
}
