//go:build !unix

package backup

const fewFilesIn = "PEERLEDGER_BACKUP_FEW_FILES_IN"

func createWithFewFiles(string) {}
