package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// The environment variables of [ConfigFromEnv]: settings of this library, unknown to TigerBeetle's
// server.
const (
	// EnvClusterID is the cluster's id, 0 to 2^128-1 in decimal digits. It must be set: a cluster
	// with a different id never answers.
	EnvClusterID = "TIGERBEETLE_CLUSTER_ID"
	// EnvAddresses are the addresses of all replicas, in the order of their indices, separated by
	// commas. See [Config.Addresses].
	EnvAddresses = "TIGERBEETLE_ADDRESSES"
	// EnvHost and EnvPort are the address of a single replica, instead of EnvAddresses. If only one
	// of the two is set, the host is 127.0.0.1 or the port is 3001.
	EnvHost = "TIGERBEETLE_HOST"
	EnvPort = "TIGERBEETLE_PORT"
	// EnvReplicaCount is the number of replicas, 1 to 6. It may be empty; otherwise it must equal
	// the number of addresses.
	EnvReplicaCount = "TIGERBEETLE_REPLICA_COUNT"
)

// ConfigFromEnv reads the configuration from the environment: [EnvClusterID], and [EnvAddresses] or
// else [EnvHost] and [EnvPort]. Empty variables count as not set; blanks around values and list
// elements are dropped. All faults are reported at once, as errors that match [ErrConfig] and name
// the variable.
func ConfigFromEnv() (Config, error) {
	id, idErr := clusterIDFrom(os.Getenv)
	addresses, addressErr := addressesFrom(os.Getenv)
	if err := errors.Join(idErr, addressErr); err != nil {
		return Config{}, err
	}
	return Config{ClusterID: id, Addresses: addresses}, nil
}

func clusterIDFrom(getenv func(string) string) (uint128.Uint128, error) {
	text := strings.TrimSpace(getenv(EnvClusterID))
	if text == "" {
		return uint128.Uint128{}, &ConfigError{Field: EnvClusterID, Reason: "is missing: the id that the cluster was formatted with"}
	}
	id, err := ledger.ParseAmount(text)
	if err != nil {
		return uint128.Uint128{}, &ConfigError{Field: EnvClusterID, Value: text, Reason: "is not a decimal number from 0 to 2^128-1"}
	}
	return uint128.Uint128(id), nil
}

func addressesFrom(getenv func(string) string) ([]string, error) {
	list := strings.TrimSpace(getenv(EnvAddresses))
	host, port := strings.TrimSpace(getenv(EnvHost)), strings.TrimSpace(getenv(EnvPort))
	var addresses []string
	var errs []error
	switch single := host != "" || port != ""; {
	case list != "":
		if single {
			_, errs = singleAddress(host, port)
			errs = append(errs, &ConfigError{Field: EnvAddresses, Value: list, Reason: "is given, and so is " + EnvHost + " or " + EnvPort + ": give one or the other"})
		}
		for element := range strings.SplitSeq(list, ",") {
			addresses = append(addresses, strings.TrimSpace(element))
		}
		_, wrong := parseAddresses(EnvAddresses, addresses)
		errs = append(errs, wrong...)
	case single:
		addresses, errs = singleAddress(host, port)
	default:
		errs = append(errs, &ConfigError{Field: EnvAddresses, Reason: "is missing: the addresses of all replicas, with commas between"})
	}
	if err := checkReplicaCount(strings.TrimSpace(getenv(EnvReplicaCount)), addresses); err != nil {
		errs = append(errs, err)
	}
	return addresses, errors.Join(errs...)
}

// singleAddress joins the host and port of a single replica.
func singleAddress(host, port string) (addresses []string, errs []error) {
	if host == "" {
		host = "127.0.0.1"
	}
	if port == "" {
		port = strconv.Itoa(defaultPort)
	}
	if _, reason := parsePort(port); reason != "" {
		errs = append(errs, &ConfigError{Field: EnvPort, Value: port, Reason: "is not a number from 1 to 65535"})
	}
	bareHost := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	text := net.JoinHostPort(bareHost, strconv.Itoa(defaultPort)) // brackets an IPv6 address
	if _, reason := parseAddress(text); reason != "" {
		errs = append(errs, &ConfigError{Field: EnvHost, Value: host, Reason: "is not one host name or IP address without a port"})
	}
	return []string{net.JoinHostPort(bareHost, port)}, errs
}

func checkReplicaCount(text string, addresses []string) error {
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > replicasMax {
		return &ConfigError{Field: EnvReplicaCount, Value: text, Reason: fmt.Sprintf("is not a number from 1 to %d", replicasMax)}
	}
	if addresses != nil && n != len(addresses) {
		return &ConfigError{Field: EnvReplicaCount, Value: text, Reason: fmt.Sprintf(
			"is not the number of addresses, which is %d: list all replicas in %s, in the order of their indices", len(addresses), EnvAddresses,
		)}
	}
	return nil
}
