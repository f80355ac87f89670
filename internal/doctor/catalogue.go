package doctor

import (
	"maps"
	"slices"
)

// catalogueEntry describes a code.
type catalogueEntry struct {
	level  Level
	cause  string
	remedy string
}

// Codes returns all codes in order.
func Codes() []Code { return slices.Sorted(maps.Keys(catalogue)) }

// lookUpEntry returns the entry of a code.
func (c Code) lookUpEntry() catalogueEntry { return catalogue[c] }

// catalogue describes all codes. Facts about TigerBeetle are from the documentation of release
// 0.17.9 (https://docs.tigerbeetle.com/operating/) and from reports of users.
var catalogue = map[Code]catalogueEntry{
	Resolved: {level: OK}, ReplicaAnswers: {level: OK}, SessionWorks: {level: OK}, ReleasesMatch: {level: OK},
	LimitsKnown: {level: OK}, ClockPlausible: {level: OK}, DataFileRight: {level: OK}, HostRight: {level: OK},
	BooksRight: {level: OK}, FolderRight: {level: OK}, FolderInUse: {level: OK}, JournalRight: {level: OK},
	Reserved: {level: OK}, ArchiveRight: {level: OK}, TotalsRight: {level: OK},

	ConfigInvalid: {
		Problem, "The configuration cannot be used.",
		"Correct the named variable or flag: TIGERBEETLE_CLUSTER_ID is a decimal number, TIGERBEETLE_ADDRESSES lists host:port of every replica with commas.",
	},
	ClusterIDZero: {
		Warning, "Cluster id 0 is TigerBeetle's own for tests; two such clusters cannot be distinguished.",
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
		"Check whether the server runs, and read its log (docker compose ps, docker compose logs tigerbeetle; journalctl -u tigerbeetle@0), and compare its --addresses with the configured addresses.",
	},
	Unreachable: {
		Problem, "Nothing answers at all: the host is down, a firewall drops the packets, or the address belongs to a network without a route from here.",
		"Reach the host by other means (ping, ssh), open the port in the firewall for this host, or join the container network.",
	},
	WrongPort: {
		Problem, "A replica of this cluster listens on another port of the same host.",
		"Correct the port. TigerBeetle's default is 3001; many examples use 3000.",
	},
	NotTigerBeetle: {
		Problem, "Another program listens there, or a TigerBeetle of a release that this program does not understand.",
		"Correct host and port. If a newer TigerBeetle listens there, use a peerledger of its release.",
	},
	WrongClusterID: {
		Problem, "The server closes the connection of a client with another cluster id, and reports this only in its own log. The id was fixed when the data file was formatted.",
		"Set TIGERBEETLE_CLUSTER_ID to the id that the cluster was formatted with (doctor --data-file and the server's log show the id). Do not format anew: formatting makes an empty ledger.",
	},
	ConnectionsTaken: {
		Problem, "All connections of the server for clients are in use (32 for each replica, 8 with --development). A proxy or load balancer whose server is down does the same.",
		"Close programs that hold connections, above all health checks that start a client each time; share one client in each process. Behind a proxy, check whether the server runs.",
	},
	Silent: {
		Problem, "The server accepts the connection and does not answer: it is starting or recovering, has no quorum to recover with, or is stopped (SIGSTOP, docker pause).",
		"Read its log, wait, and run doctor again. Servers before 0.17.6 also do not answer when all their connections are in use.",
	},
	WrongOrder: {
		Problem, "The addresses are not in the order of the replicas' indices. Requests then go to the wrong replica first, and may take seconds.",
		"Give the addresses to every client and every server in the order shown here.",
	},
	ReplicaCount: {
		Problem, "The number of addresses differs from the number of replicas with which the cluster was formatted.",
		"List all replicas, each once. Formatting fixes the number; another number needs a new cluster (docs/operations.md#scaling).",
	},
	ReplicaDown: {
		Warning, "The other replicas go on without this one, but the cluster now survives fewer failures.",
		"Start the replica again with its own data file. If the file is lost, use tigerbeetle recover, never format (docs/operations.md#a-lost-replica).",
	},
	QuorumLost: {
		Problem, "Too few replicas can be reached for the cluster to execute anything.",
		"Start the other replicas, each with its own data file; nothing that was answered is lost.",
	},
	ViewsDiffer: {
		Warning, "The replicas disagree on the primary: they are electing one, or some replicas cannot reach each other.",
		"Run doctor again in some seconds. If the replicas still disagree, check the network between them.",
	},
	ClientTooNew: {
		Problem, "This program's client is newer than the server, and the server refuses it.",
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
		Problem, "There are times in this host's future: this host's clock is behind, or the clock that wrote the times (a replica's, or this host's at that time) was ahead.",
		"Synchronise the clocks of all hosts (chrony, systemd-timesyncd). Timeouts of holds and leases depend on the clocks.",
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
		Problem, "The superblock has fewer than two good copies, so the server does not start with the file; or the file is not a data file, or has a release that this program does not understand (then named above).",
		"If a newer TigerBeetle wrote it, use a peerledger of its release. In a cluster, keep the file aside and use tigerbeetle recover. Restore a single node from a backup (peerledger restore). Do not format over the file.",
	},
	DataFileShort: {
		Problem, "The file is shorter than its superblock says: a full disk or an interrupted copy cut it.",
		"First start the server with the file. If the server ends, use tigerbeetle recover in a cluster, or restore a single node from a backup.",
	},
	DataFileOther: {
		Problem, "The file belongs to another cluster or replica than the configuration says.",
		"Correct the configuration, or mount the right volume. The ids in the file cannot be changed.",
	},
	DataFilesMixed: {
		Problem, "There are several data files. Scripts that select a file by name may start an empty ledger beside the real one.",
		"Move the files that are not this replica's to another place.",
	},
	DataFileUnused: {
		Warning, "No server has the file open: the server is not running, or runs with another file.",
		"Start the server with this file.",
	},
	DiskFull: {
		Problem, "The file system is almost full. TigerBeetle and an embedded ledger stop when they cannot write, and fulfills go to the ledger without the journal.",
		"Make room or grow the volume, then start the server again; nothing that was answered is lost.",
	},
	NotDurable: {
		Warning, "The ledger or the journal is in memory (tmpfs) and is lost when the machine stops.",
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
	ClockUnsynchronised: {
		Warning, "This host's clock is not synchronised.",
		"Run chrony or systemd-timesyncd.",
	},
	FolderMissing: {
		Problem, "The folder does not exist, or has no ledger or journal: the path is wrong, or a volume is not mounted. A program that opens the folder starts an empty ledger or journal.",
		"Correct the path, or mount the volume, before you start the program. Restore a lost folder from a backup (peerledger restore).",
	},
	FolderUnread: {
		Problem, "This user may not read the folder (its mode is 0700), or the disk fails.",
		"Run doctor as the user of the program that wrote the folder. On I/O errors replace the disk.",
	},
	FolderDamaged: {
		Problem, "A file of the folder was changed or is missing: because of the disk, a copy made while the folder was open, or a change by hand. No program opens the folder.",
		"Keep the folder aside and restore it whole from a backup (peerledger restore): files of different moments do not fit together.",
	},
	FolderForeign: {
		Problem, "A newer version of the program wrote the folder, or the folder is of another kind: for example a journal instead of a ledger, or a folder of backups.",
		"Use the version that wrote the folder, or correct the path.",
	},
	TotalsDiffer: {
		Problem, "The sums of the accounts' debits and credits differ in this ledger number. Every transfer adds the same amount to both, so no balance of the folder can be trusted: the cause is a fault of this library or of the machine's memory.",
		"Stop the program, keep the folder as it is, and report the fault. Go on with the newest backup that peerledger verify accepts, and compare with your peers.",
	},
	JournalWaits: {
		Warning, "A recorder ended or was killed before the ledger had answered these fulfills. The fulfills were promised to peers; the ledger may have some of them.",
		"Start the connector with this journal: the connector records the fulfills before anything else. Do so before you move the ledger or delete the journal.",
	},
	JournalOther: {
		Problem, "The journal belongs to connectors of another namespace. A recorder refuses the journal.",
		"Correct the namespace in the configuration, or the path of the journal.",
	},
	JournalOld: {
		Problem, "The journal is an old copy, for example from a backup: the ledger has rounds that the journal lacks. A recorder refuses it, since it would book the packets of these rounds again.",
		"Look for the newer journal, and start the connector with it. If it is lost, start the connector with an empty folder. Fulfills after the copy that were in no round are booked nowhere: compare with your peers (docs/operations.md#an-old-journal-of-rounds).",
	},
	ArchiveDamaged: {
		Problem, "Files of the archive of packets were changed, are cut, or belong to another journal. No balance depends on them; a recorder does not start without the packets of the last minutes, and statements and searches lack the packets of these files.",
		"Restore the files from a backup (peerledger restore into another folder, then copy them). Without a copy, move the damaged files out of the folder: what they had is lost, the sums in the ledger are exact.",
	},
	LedgerOld: {
		Problem, "The ledger is an old copy, for example from a backup, or is another ledger: the journal has rounds that the ledger lacks. A recorder would go on, and book these rounds nowhere.",
		"Correct the configuration if it names another ledger. After a restore, keep connectors stopped and book what the lost rounds had moved: the archive beside the journal has their packets (docs/operations.md#an-old-journal-of-rounds).",
	},
	InArrears: {
		Warning, "An amount was booked that the accounts of these peers did not cover: a late fulfill, a returned payment, a debit or payment by hand, or a payment above its order. Recorders take no packets from these peers until the arrears are paid.",
		"Find the booking with peerledger statement. A settlement engine collects arrears when a peer has headroom: the peer must earn, pay, or get a larger line. For arrears that will never be paid, give peerledger adjust write-off (docs/money.md#arrears).",
	},
	NoArrearsAccount: {
		Warning, "A version without arrears accounts provisioned these peers. The account is created when it is needed.",
		"Give peerledger peers provision once. Make sure that no engine of the earlier version runs on these books (docs/money.md#books-of-an-earlier-version).",
	},
	MoneyWaits: {
		Warning, "These peers paid or earned while their accounts were closed. The money waits in our suspense account.",
		"Reopen the account and release the money: peerledger peers reopen, then peerledger settle release. For a payment that the bank takes back, give peerledger settle returned (docs/money.md#closed-peers).",
	},
	MoneyInTransit: {
		Problem, "An amount has left peers and has reached nobody. A round takes and gives in one chain, so this is no round under way: another program wrote to the transit account, or it is a fault of this library.",
		"Stop the connectors that record in rounds, keep their journals, and look for the rows of the transit account whose code is not 2 to 7. Report a fault of this library with the report of doctor.",
	},
	OldEngine: {
		Problem, "A settlement engine of an earlier version placed these orders, after an engine of this version had placed others. The earlier version does not check orders, so it may pay prepayments back.",
		"Stop the earlier engine, and do not start it again on these books. Its orders are paid (docs/money.md#books-of-an-earlier-version).",
	},
	PaymentsPaused: {
		Warning, "An operator paused payments by these rails, or stopped all payments. No connector places orders there, and our debt grows; a peer that reaches its limit for our debt takes no more packets.",
		"If the reason is gone, let payments resume: peerledger settle resume with the rail's whole name (the ledger shows only the beginning of a long name), and peerledger settle start for all payments. Due amounts are paid then (docs/settlement.md#pauses).",
	},
	PeersAlike: {
		Warning, "These ids of the configuration differ only by case, Unicode's normal form, or white space at an end. The ledger tells them apart byte by byte, so each is a peer with accounts of its own.",
		"If the ids mean one peer, use one id everywhere, and move the balance of the other id (peerledger statement, peerledger adjust).",
	},
	BooksUnread: {
		Warning, "The configured books could not be read, or differ from the books in this ledger.",
		"Correct namespace and assets in the configuration; they must equal the connectors' configuration.",
	},
}
