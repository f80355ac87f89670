// Package deploy_test checks the files of this folder: the rules for every Compose file, the guards
// on a real file system, and, with Docker, Compose and the image present, real deployments.
package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/peerledger/peerledger/ledger/cluster"
)

// composeFile has the checked fields of a Compose file.
type composeFile struct {
	Version  string             `yaml:"version"`
	Services map[string]service `yaml:"services"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Volumes map[string]any `yaml:"volumes"`
}

type service struct {
	Image           string    `yaml:"image"`
	Entrypoint      []string  `yaml:"entrypoint"`
	Command         []string  `yaml:"command"`
	Environment     yaml.Node `yaml:"environment"`
	Volumes         []string  `yaml:"volumes"`
	Networks        yaml.Node `yaml:"networks"`
	NetworkMode     string    `yaml:"network_mode"`
	Ports           []string  `yaml:"ports"`
	SecurityOpt     []string  `yaml:"security_opt"`
	CapAdd          []string  `yaml:"cap_add"`
	MemLimit        string    `yaml:"mem_limit"`
	Restart         string    `yaml:"restart"`
	StopGracePeriod string    `yaml:"stop_grace_period"`
	DependsOn       map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
}

// composeFiles are the Compose files that start TigerBeetle. The .env.example of their folders is
// checked too.
var composeFiles = []string{"single-node/compose.yaml", "cluster/compose.yaml", "cluster/compose.six.yaml"}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

func parseCompose(t *testing.T, path string) composeFile {
	t.Helper()
	var c composeFile
	require.NoError(t, yaml.Unmarshal([]byte(readFile(t, path)), &c), path)
	return c
}

// readEnvironment returns the environment of a service.
func (s service) readEnvironment(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	if s.Environment.Kind != 0 {
		require.NoError(t, s.Environment.Decode(&env))
	}
	return env
}

func (s service) isServer() bool { return len(s.Command) > 0 && s.Command[0] == "start" }
func (s service) isFormatter() bool {
	return len(s.Entrypoint) == 2 && s.Entrypoint[1] == "/scripts/format.sh"
}

// The rules for every server.
func TestServers(t *testing.T) {
	t.Parallel()
	count := map[string]int{"single-node/compose.yaml": 1, "cluster/compose.yaml": 3, "cluster/compose.six.yaml": 3}
	for _, path := range composeFiles {
		c := parseCompose(t, path)
		require.Empty(t, c.Version, "the key is obsolete")
		servers, volumes := 0, map[string]string{}
		for name, s := range c.Services {
			if !s.isServer() && !s.isFormatter() {
				continue
			}
			require.Contains(t, s.Image, "ghcr.io/tigerbeetle/tigerbeetle:"+cluster.ClientRelease, "%s: the client's own release", name)
			require.Contains(t, s.SecurityOpt, "seccomp=unconfined", "%s: io_uring", name)
			require.Empty(t, s.Ports, "%s: TigerBeetle has no authentication", name)
			if s.isFormatter() {
				// The record prevents a second format. A replica of a cluster has made promises to
				// the other replicas; a single node with an unmounted disk would begin an empty
				// ledger.
				require.Equal(t, "/record", s.readEnvironment(t)["RECORD"], name)
				require.Contains(t, s.Volumes, "record:/record", name)
				if path != "cluster/compose.six.yaml" { // it extends compose.yaml
					require.Contains(t, c.Volumes, "record", path)
				}
				require.Equal(t, "no", s.Restart, name)
				require.Equal(t, "none", s.NetworkMode, name)
				continue
			}
			servers++
			require.Contains(t, s.CapAdd, "IPC_LOCK", name)
			require.NotEmpty(t, s.MemLimit, name)
			require.Equal(t, "unless-stopped", s.Restart, name)
			require.NotEmpty(t, s.StopGracePeriod, name)
			require.Contains(t, s.Healthcheck.Test, "/proc/net/tcp", "%s: a check that takes no connection", name)
			data, _, _ := strings.Cut(s.Volumes[0], ":")
			require.Empty(t, volumes[data], "%s has a volume of its own", name)
			volumes[data] = name
			require.Contains(t, c.Volumes, data)
			format := strings.Replace(strings.Replace(name, "replica", "format", 1), "tigerbeetle", "format", 1)
			require.Equal(t, "service_completed_successfully", s.DependsOn[format].Condition, "%s waits for %s", name, format)
			require.Equal(t, s.Volumes[0], c.Services[format].Volumes[0], "%s has the volume of %s", format, name)
			require.Equal(t, name != "tigerbeetle", strings.HasSuffix(s.Command[len(s.Command)-1], "_"+name[len(name)-1:]+".tigerbeetle"), name)
			if name != "tigerbeetle" {
				require.Equal(t, name[len(name)-1:], c.Services[format].readEnvironment(t)["REPLICA"], name)
			}
		}
		require.Equal(t, count[path], servers, path)
		if network, ok := c.Networks["ledger"]; ok {
			require.True(t, network.Internal, path)
		}
	}
}

// All servers and clients have the same addresses in the same order.
func TestAddresses(t *testing.T) {
	t.Parallel()
	c := parseCompose(t, "cluster/compose.yaml")
	want := ""
	for name, s := range c.Services {
		got := ""
		for _, flag := range s.Command {
			if addresses, ok := strings.CutPrefix(flag, "--addresses="); ok {
				got = addresses
			}
		}
		env := s.readEnvironment(t)
		for _, variable := range []string{"ADDRESSES", "TIGERBEETLE_ADDRESSES"} {
			if env[variable] != "" {
				require.Contains(t, []string{"", env[variable]}, got, name)
				got = env[variable]
			}
		}
		if want == "" {
			want = got
		}
		require.Equal(t, want, got, name)
	}
	_, list, _ := strings.Cut(strings.TrimSuffix(want, "}"), ":-")
	for i, address := range strings.Split(list, ",") {
		host, _, _ := strings.Cut(address, ":")
		var network map[string]struct {
			Address string `yaml:"ipv4_address"`
		}
		s := c.Services["replica-"+string(rune('0'+i))]
		require.NoError(t, s.Networks.Decode(&network))
		require.Equal(t, "${PEERLEDGER_SUBNET:-10.213.7}"+host[strings.LastIndex(host, "."):], network["ledger"].Address)
	}
	// The addresses of six begin with the addresses of three.
	require.Contains(t, readFile(t, "cluster/six.env"), "PEERLEDGER_ADDRESSES="+list+",")
}

var (
	variablePattern   = regexp.MustCompile(`\$\{([A-Z_]+)(?::[-?]([^}]*))?\}`)
	assignmentPattern = regexp.MustCompile(`(?m)^([A-Z_]+)=(.*)$`)
)

// Every variable is documented, with its default, and every documented variable is used.
func TestVariables(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"single-node", "cluster"} {
		documented := map[string]string{}
		for _, m := range assignmentPattern.FindAllStringSubmatch(readFile(t, filepath.Join(folder, ".env.example")), -1) {
			documented[m[1]] = m[2]
		}
		used := map[string]bool{}
		for _, path := range composeFiles {
			if filepath.Dir(path) != folder {
				continue
			}
			for _, m := range variablePattern.FindAllStringSubmatch(readFile(t, path), -1) {
				require.Contains(t, documented, m[1], path)
				used[m[1]] = true
				if m[2] != "use six.env" {
					require.Equal(t, documented[m[1]], m[2], "%s: the default of %s", path, m[1])
				}
				require.Regexp(t, "^PEERLEDGER_", m[1], "TigerBeetle reads no variables, so no name may suggest TigerBeetle")
			}
		}
		for name := range documented {
			require.True(t, used[name], "%s: %s is of no use", folder, name)
		}
	}
}

// The configuration of the operator's command is valid and agrees with the example connector.
func TestOperatorsConfiguration(t *testing.T) {
	t.Parallel()
	var cfg struct {
		Namespace string
		Assets    []struct {
			Code   string
			Scale  int
			Ledger int
		}
		Peers []struct{ ID string }
	}
	require.NoError(t, yaml.Unmarshal([]byte(readFile(t, "peerledger.yaml")), &cfg))
	source := readFile(t, "../examples/connector/connector.go")
	require.Contains(t, source, `namespace = "`+cfg.Namespace+`"`)
	require.Contains(t, source, `{Code: "USD", Scale: 9, Ledger: 1}`)
	require.Equal(t, []any{"USD", 9, 1}, []any{cfg.Assets[0].Code, cfg.Assets[0].Scale, cfg.Assets[0].Ledger})
	for _, peer := range cfg.Peers {
		require.Contains(t, source, `"`+peer.ID+`"`)
	}
}

// A connector's journal is on a volume of its own, which the operator's command can read. A backup has the
// journal beside the data file.
func TestJournalOfTheConnector(t *testing.T) {
	t.Parallel()
	const folder = "/var/lib/connector"
	for _, path := range []string{"single-node/compose.yaml", "cluster/compose.yaml"} {
		c := parseCompose(t, path)
		require.Contains(t, c.Volumes, "connector", path)
		connector := c.Services["connector"]
		require.Contains(t, connector.Volumes, "connector:"+folder, path)
		require.Equal(t, []string{"-journal", folder + "/journal"}, connector.Command[len(connector.Command)-2:], path)
		require.Contains(t, c.Services["peerledger"].Volumes, "connector:"+folder+":ro", path)
	}
	c := parseCompose(t, "single-node/compose.yaml")
	alone, both := c.Services["backup"], c.Services["backup-with-journal"]
	require.Contains(t, both.Volumes, "connector:"+folder)
	require.Contains(t, both.Command, "--journal="+folder+"/journal")
	both.Command = slices.DeleteFunc(both.Command, func(arg string) bool { return strings.HasPrefix(arg, "--journal=") })
	require.Equal(t, alone, both, "nothing else differs")
	require.Contains(t, readFile(t, "Dockerfile"), "-o 65532 -g 65532 "+folder)
	require.Contains(t, readFile(t, "Dockerfile"), "USER 65532:65532")
}

// The operator's journal is on a volume of its own: a container of the operator's command ends with the command.
func TestJournalOfTheOperator(t *testing.T) {
	t.Parallel()
	const folder = "/var/lib/peerledger"
	require.Contains(t, readFile(t, "peerledger.yaml"), "\noperator_journal: "+folder+"/")
	require.Contains(t, readFile(t, "Dockerfile"), " "+folder+"\n")
	for _, path := range []string{"single-node/compose.yaml", "cluster/compose.yaml"} {
		c := parseCompose(t, path)
		require.Contains(t, c.Volumes, "operator", path)
		require.Contains(t, c.Services["peerledger"].Volumes, "operator:"+folder, path)
	}
}
