package doctor

import (
	"maps"
	"slices"
)

// Code names what can be found.
type Code string

// What is well.
const (
	Resolved       Code = "resolved"
	ReplicaAnswers Code = "replica-answers"
	SessionWorks   Code = "session-works"
	ReleasesMatch  Code = "releases-match"
	LimitsKnown    Code = "limits-known"
	ClockPlausible Code = "clock-plausible"
	DataFileRight  Code = "data-file-right"
	HostRight      Code = "host-right"
	BooksRight     Code = "books-right"
	FolderRight    Code = "folder-right"
	FolderInUse    Code = "folder-in-use"
	JournalRight   Code = "journal-right"
)

// What is wrong in the configuration and on the network.
const (
	ConfigInvalid    Code = "config-invalid"
	ClusterIDZero    Code = "cluster-id-zero"
	Unresolvable     Code = "unresolvable-name"
	SameReplicaTwice Code = "same-replica-twice"
	NothingListens   Code = "nothing-listens"
	Unreachable      Code = "unreachable"
	WrongPort        Code = "wrong-port"
	NotTigerBeetle   Code = "not-tigerbeetle"
	WrongClusterID   Code = "wrong-cluster-id"
	ConnectionsTaken Code = "connections-taken"
	Silent           Code = "silent"
	WrongOrder       Code = "wrong-order"
	ReplicaCount     Code = "wrong-replica-count"
	ReplicaDown      Code = "replica-down"
	QuorumLost       Code = "quorum-lost"
	ViewsDiffer      Code = "views-differ"
)

// What is wrong with releases and sessions.
const (
	ClientTooNew   Code = "client-too-new"
	ClientTooOld   Code = "client-too-old"
	ReleasesDiffer Code = "releases-differ"
	SessionFails   Code = "session-fails"
	NoClient       Code = "no-client"
	SmallRequests  Code = "small-requests"
	ClockBehind    Code = "clock-behind"
)

// What is wrong on the server's host.
const (
	DataFileMissing   Code = "data-file-missing"
	DataFileUnread    Code = "data-file-unreadable"
	DataFileDamaged   Code = "data-file-damaged"
	DataFileShort     Code = "data-file-short"
	DataFileOther     Code = "data-file-of-another-cluster"
	DataFilesMixed    Code = "data-files-mixed"
	DataFileUnused    Code = "data-file-unused"
	DiskFull          Code = "disk-full"
	NotDurable        Code = "not-durable"
	UringBlocked      Code = "io-uring-blocked"
	KernelTooOld      Code = "kernel-too-old"
	MemoryShort       Code = "memory-short"
	MemlockLow        Code = "memlock-low"
	ClockUnsynchronis Code = "clock-unsynchronised"
)

// What is wrong with the folder of an embedded ledger, or with a recorder's journal.
const (
	FolderMissing Code = "folder-missing"
	FolderUnread  Code = "folder-unreadable"
	FolderDamaged Code = "folder-damaged"
	FolderForeign Code = "folder-foreign"
	JournalWaits  Code = "journal-waits"
	JournalOther  Code = "journal-of-another-namespace"
)

// What is wrong in the books.
const (
	InArrears        Code = "peers-in-arrears"
	NoArrearsAccount Code = "arrears-accounts-missing"
	MoneyWaits       Code = "money-in-suspense"
	OldEngine        Code = "old-engine"
	PaymentsPaused   Code = "payments-paused"
	PeersAlike       Code = "peers-alike"
	BooksUnread      Code = "books-unreadable"
)

// catalogueEntry is what is known about a code.
type catalogueEntry struct {
	level  Level
	cause  string
	remedy string
}

// Codes are all codes, in order.
func Codes() []Code { return slices.Sorted(maps.Keys(catalogue)) }

func (c Code) lookUpEntry() catalogueEntry { return catalogue[c] }

// catalogue is fixed. The facts about TigerBeetle are those of release 0.17.9
// (https://docs.tigerbeetle.com/operating/), and of its users' reports.
var catalogue = map[Code]catalogueEntry{
	Resolved: {level: OK}, ReplicaAnswers: {level: OK}, SessionWorks: {level: OK}, ReleasesMatch: {level: OK},
	LimitsKnown: {level: OK}, ClockPlausible: {level: OK}, DataFileRight: {level: OK}, HostRight: {level: OK},
	BooksRight: {level: OK}, FolderRight: {level: OK}, FolderInUse: {level: OK}, JournalRight: {level: OK},

	ConfigInvalid: {
		Problem, "The configuration cannot be used.",
		"Correct the named variable or flag: TIGERBEETLE_CLUSTER_ID is a decimal number, TIGERBEETLE_ADDRESSES lists host:port of every replica with commas.",
	},
	ClusterIDZero: {
		Warning, "Cluster id 0 is TigerBeetle's own for tests; two such clusters cannot be told apart.",
		"Format a cluster for real use with a random 128-bit id, and note it beside the volume.",
	},
	Unresolvable: {
		Problem, "The resolver does not know the name, e.g. because of a typing error, or because this program runs outside of the network of the containers.",
		"Correct the name, or run this program where the name is known (docker compose run, the same network). IP addresses always work.",
	},
	SameReplicaTwice: {
		Problem, "Two addresses lead to one replica, so another replica is missing from the list.",
		"List each replica once, in the order of the indices.",
	},
	NothingListens: {
		Problem, "The host refuses the connection: the server is not running, or listens on another port or on 127.0.0.1 of its own container.",
		"Look whether the server runs and what it logs (docker compose ps, docker compose logs tigerbeetle; journalctl -u tigerbeetle@0), and compare its --addresses with the ones here.",
	},
	Unreachable: {
		Problem, "Nothing answers at all: the host is down, a firewall drops the packets, or the address is one of a network that is not routed here.",
		"Reach the host by other means (ping, ssh), open the port in the firewall for this host, or join the container network.",
	},
	WrongPort: {
		Problem, "A replica of this cluster listens on another port of the same host.",
		"Correct the port. TigerBeetle's default is 3001; many examples use 3000.",
	},
	NotTigerBeetle: {
		Problem, "Another program listens there, or a TigerBeetle of a release that this program does not understand.",
		"Correct host and port. If a newer TigerBeetle runs there, use a peerledger of its release.",
	},
	WrongClusterID: {
		Problem, "The server ends the connection of whoever has another cluster id, and tells only its own log. The id was fixed when the data file was formatted.",
		"Set TIGERBEETLE_CLUSTER_ID to the id that the cluster was formatted with (doctor --data-file shows it; so does the server's log). Do not format anew: that makes an empty ledger.",
	},
	ConnectionsTaken: {
		Problem, "All connections of the server for clients are in use (32 for each replica, 8 with --development). A proxy or load balancer whose server is down does the same.",
		"Close programs that hold connections, above all health checks that start a client each time; share one client in each process. Behind a proxy, look whether the server runs.",
	},
	Silent: {
		Problem, "The server takes the connection and says nothing: it is starting or recovering, has no quorum to recover with, or is stopped (SIGSTOP, docker pause).",
		"Read its log, wait, and run doctor again. Servers before 0.17.6 do the same when all their connections are in use.",
	},
	WrongOrder: {
		Problem, "The addresses are not in the order of the replicas' indices. Requests then go to the wrong replica first, and may take seconds.",
		"Give the addresses to every client and every server in the order shown here.",
	},
	ReplicaCount: {
		Problem, "The list of addresses has not as many replicas as the cluster was formatted with.",
		"List all replicas, each once. The number is fixed at the format; another number needs a new cluster (docs/operations.md#scaling).",
	},
	ReplicaDown: {
		Warning, "The others go on without it, but the cluster survives fewer failures now.",
		"Start it again with its own data file. If the file is lost, use tigerbeetle recover, never format (docs/operations.md#a-lost-replica).",
	},
	QuorumLost: {
		Problem, "Too few replicas can be reached for the cluster to execute anything.",
		"Start the other replicas, each with its own data file; nothing that was answered is lost.",
	},
	ViewsDiffer: {
		Warning, "The replicas do not agree on who is the primary: they are electing one, or some cannot reach each other.",
		"Run doctor again in some seconds. If it stays so, look at the network between the replicas.",
	},
	ClientTooNew: {
		Problem, "This program's client is newer than the server, which turns it away.",
		"Upgrade the servers first, one replica after another, then the clients.",
	},
	ClientTooOld: {
		Problem, "The servers no longer serve clients of this release.",
		"Build this program with a newer tigerbeetle-go, at most of the servers' release.",
	},
	ReleasesDiffer: {
		Warning, "The replicas run different releases: an upgrade is under way, or was not finished.",
		"Bring all replicas to one release. The cluster goes on with the older one until all have the newer.",
	},
	SessionFails: {
		Problem, "The replicas answer, but no request is executed: the cluster has no primary at the moment, is recovering, or is overloaded.",
		"Look at the servers' logs and at replica_status; run doctor again in a minute.",
	},
	NoClient: {
		Warning, "This program was built without cgo and has no TigerBeetle client, so no request was tried.",
		"Build it with CGO_ENABLED=1 and a C compiler.",
	},
	SmallRequests: {
		Warning, "The server takes small requests: it was started with --development (or --limit-request), and then has 8 connections for clients.",
		"Leave --development out in production.",
	},
	ClockBehind: {
		Problem, "There are times from this host's future: this host's clock is behind, or the one that wrote them (a replica's, or this one once) was ahead.",
		"Synchronise the clocks of all hosts (chrony, systemd-timesyncd). Hold timeouts and lease times rest on them.",
	},
	DataFileMissing: {
		Problem, "There is no data file, so the server cannot start.",
		"New cluster: run the format step. Existing cluster: mount the right volume; a lost replica of three or more is brought back with tigerbeetle recover, a single node from a backup.",
	},
	DataFileUnread: {
		Problem, "This user may not read the file (TigerBeetle makes it with mode 0600), or the disk fails.",
		"Run doctor as the server's user; chown the volume to that user if the server cannot read it either. On I/O errors replace the disk.",
	},
	DataFileDamaged: {
		Problem, "The superblock has no two good copies, so the server does not start with it; or it is no data file, or one of a release that this program does not understand (it says so then).",
		"If a newer TigerBeetle wrote it, use a peerledger of its release. In a cluster keep the file aside and use tigerbeetle recover. A single node is restored from a backup (peerledger restore). Do not format over it.",
	},
	DataFileShort: {
		Problem, "The file is shorter than its superblock says: it was cut, by a full disk or a copy that stopped.",
		"Start the server with it first. Only if it ends: recover in a cluster, restore from a backup for a single node.",
	},
	DataFileOther: {
		Problem, "The file belongs to another cluster or replica than the configuration says.",
		"Correct the configuration, or mount the right volume. The ids in the file cannot be changed.",
	},
	DataFilesMixed: {
		Problem, "There are several data files. Scripts that choose by name may start an empty ledger beside the real one.",
		"Move the files that are not this replica's to another place.",
	},
	DataFileUnused: {
		Warning, "No server holds the file: it is not running, or runs with another file.",
		"Start the server with this file.",
	},
	DiskFull: {
		Problem, "The file system is almost full. TigerBeetle and an embedded ledger stop when they cannot write, and fulfills go to the ledger without the journal.",
		"Make room or grow the volume, then start the server again; nothing that was answered is lost.",
	},
	NotDurable: {
		Warning, "The ledger or the journal is in memory (tmpfs) and gone with the machine.",
		"Put it on a disk of its own, with a file system that has direct I/O (ext4, XFS).",
	},
	UringBlocked: {
		Problem, "io_uring, which TigerBeetle needs, is not permitted here: by Docker's default seccomp profile, or by kernel.io_uring_disabled.",
		"Start the container with security_opt: seccomp=unconfined (or a profile that lets io_uring through); sysctl kernel.io_uring_disabled=0.",
	},
	KernelTooOld: {
		Problem, "TigerBeetle needs Linux 5.11 or later.",
		"Upgrade the kernel.",
	},
	MemoryShort: {
		Warning, "There is little memory for a server: it takes some 1.5 GiB with --development and more than 3 GiB with the default cache, all at its start. Exit status 137 is the kernel's answer to too little.",
		"Give the server more memory, or a smaller --cache-grid; raise the container's mem_limit.",
	},
	MemlockLow: {
		Warning, "Processes of this user may lock little memory; a server then fails to start with an error about memory locking.",
		"Set ulimits: memlock: -1 for the container, LimitMEMLOCK=infinity in the unit.",
	},
	ClockUnsynchronis: {
		Warning, "This host's clock is not synchronised.",
		"Run chrony or systemd-timesyncd.",
	},
	FolderMissing: {
		Problem, "There is no such folder, or nothing of a ledger's or a journal's in it: another path, or a volume that is not mounted. A program that opens it begins an empty one.",
		"Correct the path, or mount the volume, before the program is started. What is lost is restored from a backup (peerledger restore).",
	},
	FolderUnread: {
		Problem, "This user may not read the folder (it is made with mode 0700), or the disk fails.",
		"Run doctor as the user of the program that has written it. On I/O errors replace the disk.",
	},
	FolderDamaged: {
		Problem, "A file of the folder is not what was written to it, or is missing: by the disk, by a copy that was made while it was open, or by hand. No program opens it.",
		"Keep the folder aside and restore it whole from a backup (peerledger restore): files of different moments do not fit together.",
	},
	FolderForeign: {
		Problem, "A newer version of the program has written the folder, or it is none of this kind: a journal is no ledger, and neither is the backups' folder.",
		"Use the version that has written it, or correct the path.",
	},
	JournalWaits: {
		Warning, "A recorder ended while the ledger had not answered these fulfills, or was killed since. They were promised to peers; the ledger may have some of them.",
		"Start the connector with this journal: it records them before anything else. Do so before the ledger is moved or the journal is given up.",
	},
	JournalOther: {
		Problem, "The journal is that of connectors of another namespace. A recorder refuses it.",
		"Correct the namespace in the configuration, or the path of the journal.",
	},
	InArrears: {
		Warning, "Something had to be booked that the accounts of these peers did not cover: a late fulfill, a payment that came back, a debit or payment by hand, or more than was ordered. Recorders take no packets from them until it is paid.",
		"Read why with peerledger statement. A settlement engine collects when they have headroom: they must earn, pay, or get a larger line. What will never be paid: peerledger adjust write-off (docs/money.md#arrears).",
	},
	NoArrearsAccount: {
		Warning, "A version before arrears provisioned these peers. The account is made when it is needed.",
		"Give peerledger peers provision once. Make sure that no engine of the earlier version runs on these books (docs/money.md#books-of-an-earlier-version).",
	},
	MoneyWaits: {
		Warning, "These peers paid or earned while their accounts were closed. The money waits in our suspense account.",
		"Open the account and give it back: peerledger peers reopen, then peerledger settle release. A payment that the bank takes back leaves suspense with peerledger settle returned (docs/money.md#closed-peers).",
	},
	OldEngine: {
		Problem, "A settlement engine of an earlier version has placed these orders, after one of this version had placed others. It does not make the check, so it may pay prepayments back.",
		"Stop it, and do not start it again on these books. Its orders are paid (docs/money.md#books-of-an-earlier-version).",
	},
	PaymentsPaused: {
		Warning, "Somebody has paused payments by these rails, or stopped all. No connector orders anything there, and what is owed grows; peers that reach the most that they let us owe take no more packets.",
		"If the reason is gone, let them go on: peerledger settle resume with the rail's whole name (of a long one the ledger shows the beginning only), and peerledger settle start for all payments. What is due is paid then (docs/settlement.md#pauses).",
	},
	PeersAlike: {
		Warning, "These ids of the configuration differ only by case, Unicode's normal form, or white space at an end. The ledger tells them apart byte by byte, so each is a peer with accounts of its own.",
		"If one peer is meant, give it one id everywhere, and move what stands under the other (peerledger statement, peerledger adjust).",
	},
	BooksUnread: {
		Warning, "The books that the configuration describes could not be read, or are not those in this ledger.",
		"Correct namespace and assets in the configuration; they must be those of the connectors.",
	},
}
