package doctor

// Code identifies a kind of finding.
type Code string

// The codes without a fault.
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
	TotalsRight    Code = "totals-right"
	FolderInUse    Code = "folder-in-use"
	JournalRight   Code = "journal-right"
	ArchiveRight   Code = "archive-right"
	Reserved       Code = "reserved-for-rounds"
)

// The faults in the configuration and on the network.
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

// The faults with releases and sessions.
const (
	ClientTooNew   Code = "client-too-new"
	ClientTooOld   Code = "client-too-old"
	ReleasesDiffer Code = "releases-differ"
	SessionFails   Code = "session-fails"
	NoClient       Code = "no-client"
	SmallRequests  Code = "small-requests"
	ClockBehind    Code = "clock-behind"
)

// The faults on the server's host.
const (
	DataFileMissing     Code = "data-file-missing"
	DataFileUnread      Code = "data-file-unreadable"
	DataFileDamaged     Code = "data-file-damaged"
	DataFileShort       Code = "data-file-short"
	DataFileOther       Code = "data-file-of-another-cluster"
	DataFilesMixed      Code = "data-files-mixed"
	DataFileUnused      Code = "data-file-unused"
	DiskFull            Code = "disk-full"
	NotDurable          Code = "not-durable"
	UringBlocked        Code = "io-uring-blocked"
	KernelTooOld        Code = "kernel-too-old"
	MemoryShort         Code = "memory-short"
	MemlockLow          Code = "memlock-low"
	ClockUnsynchronised Code = "clock-unsynchronised"
)

// The faults with the folder of an embedded ledger, or with a recorder's journal.
const (
	FolderMissing  Code = "folder-missing"
	FolderUnread   Code = "folder-unreadable"
	FolderDamaged  Code = "folder-damaged"
	FolderForeign  Code = "folder-foreign"
	TotalsDiffer   Code = "totals-differ"
	JournalWaits   Code = "journal-waits"
	JournalOther   Code = "journal-of-another-namespace"
	JournalOld     Code = "journal-older-than-ledger"
	LedgerOld      Code = "ledger-older-than-journal"
	ArchiveDamaged Code = "archive-damaged"
)

// The faults in the books.
const (
	InArrears        Code = "peers-in-arrears"
	NoArrearsAccount Code = "arrears-accounts-missing"
	MoneyWaits       Code = "money-in-suspense"
	MoneyInTransit   Code = "money-in-transit"
	OldEngine        Code = "old-engine"
	PaymentsPaused   Code = "payments-paused"
	PeersAlike       Code = "peers-alike"
	BooksUnread      Code = "books-unreadable"
)
