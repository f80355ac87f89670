//go:build !unix

package backup

const interruptedIn = "PEERLEDGER_BACKUP_INTERRUPTED_IN"

func createInterrupted(string) {}
