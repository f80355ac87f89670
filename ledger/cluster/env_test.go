//go:build cgo

package cluster_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger/cluster"
)

// setEnvironment sets the given variables of ConfigFromEnv and unsets the rest.
func setEnvironment(t *testing.T, values map[string]string) {
	t.Helper()
	for _, name := range []string{
		cluster.EnvClusterID, cluster.EnvAddresses, cluster.EnvHost, cluster.EnvPort, cluster.EnvReplicaCount,
	} {
		t.Setenv(name, values[name])
	}
}

//nolint:paralleltest // the environment is the process's
func TestConfigFromEnv(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		id   uint128.Uint128
		want []string
	}{
		{
			map[string]string{cluster.EnvClusterID: "340282366920938463463374607431768211455", cluster.EnvAddresses: "tb-0:3000, tb-1:3000,tb-2:3000 "},
			uint128.Max,
			[]string{"tb-0:3000", "tb-1:3000", "tb-2:3000"},
		},
		{map[string]string{cluster.EnvClusterID: "0", cluster.EnvAddresses: "3000", cluster.EnvReplicaCount: "1"}, uint128.Zero, []string{"3000"}},
		{map[string]string{cluster.EnvClusterID: " 7 ", cluster.EnvHost: "tigerbeetle", cluster.EnvPort: "3000"}, uint128.From64(7), []string{"tigerbeetle:3000"}},
		{map[string]string{cluster.EnvClusterID: "7", cluster.EnvHost: "::1"}, uint128.From64(7), []string{"[::1]:3001"}},
		{map[string]string{cluster.EnvClusterID: "7", cluster.EnvPort: "3000"}, uint128.From64(7), []string{"127.0.0.1:3000"}},
	} {
		setEnvironment(t, test.env)
		cfg, err := cluster.ConfigFromEnv()
		require.NoError(t, err)
		require.NoError(t, cfg.Validate())
		require.Equal(t, cluster.Config{ClusterID: test.id, Addresses: test.want}, cfg)
	}
}

//nolint:paralleltest // the environment is the process's
func TestConfigFromEnvReportsAllFaultsAtOnce(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want []string
	}{
		{nil, []string{"TIGERBEETLE_CLUSTER_ID is missing", "TIGERBEETLE_ADDRESSES is missing"}},
		{
			map[string]string{cluster.EnvClusterID: "0x7", cluster.EnvAddresses: "a,,b:x,a", cluster.EnvReplicaCount: "3"},
			[]string{
				`TIGERBEETLE_CLUSTER_ID "0x7" is not a decimal number`, "TIGERBEETLE_ADDRESSES[1] is neither",
				`TIGERBEETLE_ADDRESSES[2] "b:x" has the port`, `TIGERBEETLE_ADDRESSES[3] "a" is the same as TIGERBEETLE_ADDRESSES[0]`,
				`TIGERBEETLE_REPLICA_COUNT "3" is not the number of addresses, which is 4`,
			},
		},
		{
			map[string]string{cluster.EnvClusterID: "340282366920938463463374607431768211456", cluster.EnvHost: "a:1", cluster.EnvPort: "no", cluster.EnvReplicaCount: "7"},
			[]string{
				"TIGERBEETLE_CLUSTER_ID", `TIGERBEETLE_HOST "a:1" is not one host name`, `TIGERBEETLE_PORT "no" is not a number`,
				`TIGERBEETLE_REPLICA_COUNT "7" is not a number from 1 to 6`,
			},
		},
		{
			map[string]string{cluster.EnvClusterID: "1", cluster.EnvHost: "tb", cluster.EnvReplicaCount: "3"},
			[]string{"list all replicas in TIGERBEETLE_ADDRESSES"},
		},
		{
			map[string]string{cluster.EnvClusterID: "-1", cluster.EnvAddresses: "a", cluster.EnvPort: "3000"},
			[]string{"TIGERBEETLE_CLUSTER_ID", "give one or the other"},
		},
		{
			map[string]string{cluster.EnvClusterID: "1", cluster.EnvAddresses: "a,:", cluster.EnvPort: "no", cluster.EnvReplicaCount: "3"},
			[]string{"give one or the other", "TIGERBEETLE_ADDRESSES[1]", "TIGERBEETLE_PORT", "TIGERBEETLE_REPLICA_COUNT"},
		},
	} {
		setEnvironment(t, test.env)
		_, err := cluster.ConfigFromEnv()
		require.ErrorIs(t, err, cluster.ErrConfig)
		for _, want := range test.want {
			require.ErrorContains(t, err, want)
		}
	}
}
