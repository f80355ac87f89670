package monitoring

import (
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// modulePath is the path of this module in a program's build information.
const modulePath = "github.com/peerledger/peerledger"

// newBuildInfo returns the metric of the version of the library in this program. An unknown version is "unknown".
func newBuildInfo() prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "peerledger_build_info", Help: "1, with the version of the library and of Go in this program.",
	}, []string{"version", "goversion"})
	version, goVersion := describeBuild(debug.ReadBuildInfo())
	info.WithLabelValues(version, goVersion).Set(1)
	return info
}

// describeBuild returns the version of the library, which is the program's module or one that it requires, and of Go.
func describeBuild(build *debug.BuildInfo, known bool) (version, goVersion string) {
	version, goVersion = "unknown", "unknown"
	if !known {
		return version, goVersion
	}
	for _, m := range append([]*debug.Module{&build.Main}, build.Deps...) {
		if m.Path == modulePath && m.Version != "" {
			version = m.Version
		}
	}
	if build.GoVersion != "" {
		goVersion = build.GoVersion
	}
	return version, goVersion
}
