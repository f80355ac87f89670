package backup

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// A change of any byte is detected.
func TestDamage(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	b := n.createBackup(t, n.makeOptions())
	for _, name := range []string{dataName, manifestName} {
		path := filepath.Join(b.Folder, name)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		damage := func(what string, changed []byte) {
			require.NoError(t, os.WriteFile(path, changed, 0o600))
			target := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
			damaged, err := Open(b.Folder)
			if err == nil {
				err = damaged.Restore(t.Context(), target, nil)
			}
			if !errors.Is(err, ErrFormat) { // a digit of the format
				require.ErrorIs(t, err, ErrDamaged, what)
			}
			_, err = List(n.folder)
			require.Equal(t, name == manifestName || strings.HasPrefix(what, "cut") || strings.HasPrefix(what, "longer"), err != nil, "a list reads no data: %s", what)
			require.Empty(t, listLeftovers(t, filepath.Dir(target)), what)
		}
		stride := 1 // each byte of the manifest, and some of the data
		if name == dataName {
			stride += len(content) / 150
		}
		for i := 0; i < len(content); i += stride {
			changed := append([]byte{}, content...)
			changed[i] ^= 1
			damage("a bit of "+name, changed)
		}
		damage("cut "+name, content[:len(content)/2])
		damage("longer "+name, append(append([]byte{}, content...), "more"...))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	require.NoError(t, b.Check(t.Context(), nil))
	require.NoError(t, os.Remove(filepath.Join(b.Folder, dataName)))
	_, err := List(n.folder)
	require.ErrorIs(t, err, ErrDamaged)
}

// editManifest changes a manifest's text and keeps its hash.
func editManifest(t *testing.T, b Backup, from, to string) {
	t.Helper()
	path := filepath.Join(b.Folder, manifestName)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(content), from), "%s", content)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(content), from, to, 1)), 0o600))
}

// rewriteManifest replaces a backup's manifest, with a correct hash.
func rewriteManifest(t *testing.T, b Backup, change func(*Manifest)) Backup {
	t.Helper()
	require.NoError(t, os.Remove(filepath.Join(b.Folder, manifestName)))
	change(&b.Manifest)
	require.NoError(t, writeManifest(b.Folder, b.Manifest))
	b, err := Open(b.Folder)
	require.NoError(t, err)
	return b
}

// A changed manifest is not trusted, whatever its content.
func TestManifestThatWasChanged(t *testing.T) {
	t.Parallel()
	for from, to := range map[string]string{
		`"taken": "2026-`: `"taken": "2027-`, `"cluster_id": "7"`: `"cluster_id": "8"`, `"sequence": 3`: `"sequence": 9`,
		`"number": 1`: `"number": 9`, `"file": "7_0`: `"file": "7_1`, `"snapshot": false`: `"snapshot": true`, `"format": 2`: `"format": 1`,
	} {
		n := newNode(t)
		b := n.createBackup(t, n.makeOptions())
		editManifest(t, b, from, to)
		_, err := List(n.folder)
		require.ErrorIs(t, err, ErrDamaged, to)
		b, err = Open(b.Folder)
		if err == nil {
			err = b.Restore(t.Context(), filepath.Join(t.TempDir(), "7_0.tigerbeetle"), nil)
		}
		require.ErrorIs(t, err, ErrDamaged, to)
	}
}

// A manifest with a correct hash is compared with the folder's name, the superblock, and the rules
// of names.
func TestManifestThatIsWrong(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	for name, change := range map[string]func(*Manifest){
		"time":       func(m *Manifest) { m.Taken = m.Taken.Add(time.Hour) },
		"cluster":    func(m *Manifest) { m.ClusterID = ledger.NewAmount(8) },
		"sequence":   func(m *Manifest) { m.Sequence++ },
		"checkpoint": func(m *Manifest) { m.Checkpoint++ },
		"no file":    func(m *Manifest) { m.File = "" },
		"parent":     func(m *Manifest) { m.File = ".." },
		"elsewhere":  func(m *Manifest) { m.File = other },
		"relative":   func(m *Manifest) { m.File = "../7_0.tigerbeetle" },
		"size":       func(m *Manifest) { m.Size-- },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			b := rewriteManifest(t, n.createBackup(t, n.makeOptions()), change)
			target := filepath.Join(t.TempDir(), "data.tigerbeetle")
			require.ErrorIs(t, b.Restore(t.Context(), target, nil), ErrDamaged)
			_, err := b.Verify(t.Context(), nil, nil, nil)
			require.ErrorIs(t, err, ErrDamaged)
			require.NoFileExists(t, target)
			require.Empty(t, listLeftovers(t, n.folder))
		})
	}
	require.NoFileExists(t, other)
}

// A small archive may unpack to a large size: unpacking stops at the manifest's size.
func TestArchiveWithTooMuchInIt(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	b := n.createBackup(t, n.makeOptions())
	file, err := os.Create(filepath.Join(b.Folder, dataName))
	require.NoError(t, err)
	archive, err := packFile(t.Context(), io.LimitReader(zeroReader{}, 64<<20), file, nil)
	require.NoError(t, syncAndClose(file, err))
	b = rewriteManifest(t, b, func(m *Manifest) { m.Packed, m.PackedSum = archive.Packed, archive.PackedSum })
	most := int64(0)
	err = b.Restore(t.Context(), filepath.Join(t.TempDir(), "7_0.tigerbeetle"), func(done, _ int64) { most = max(most, done) })
	require.ErrorIs(t, err, ErrDamaged)
	require.LessOrEqual(t, most, b.Manifest.Size)
}

// An archive that requires too much memory is refused.
func TestArchiveThatAsksForMemory(t *testing.T) {
	t.Parallel()
	// An empty frame with a window of 256 MiB (RFC 8878, section 3.1.1).
	frame := []byte{0x28, 0xB5, 0x2F, 0xFD, 0x00, (28 - 10) << 3, 0x01, 0x00, 0x00}
	path := filepath.Join(t.TempDir(), dataName)
	require.NoError(t, os.WriteFile(path, frame, 0o600))
	err := Archive{}.unpackFile(t.Context(), path, nil, nil)
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorIs(t, err, zstd.ErrWindowSizeExceeded)
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A newer manifest with unknown fields is refused by its format.
func TestNewerFormat(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	b := n.createBackup(t, n.makeOptions())
	editManifest(t, b, `"format": 2,`, `"format": 4, "more": true,`)
	_, err := Open(b.Folder)
	require.ErrorIs(t, err, ErrFormat)
	require.NotErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "format 4; this program reads up to 3")
	_, err = Newest(n.folder, time.Now())
	require.ErrorIs(t, err, ErrFormat)
	editManifest(t, b, `"format": 4,`, `"format": 0,`)
	_, err = Open(b.Folder)
	require.ErrorIs(t, err, ErrDamaged)
}

// A backup of format 1 has neither a number nor a hash. It is read, and counts as older than
// backups of format 2.
func TestOlderFormat(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := n.makeOptions()
	o.Now = newClock(time.Second)
	old := n.createBackup(t, o)
	path := filepath.Join(old.Folder, manifestName)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content = regexp.MustCompile(`(?m)^  "number": 1,\n`).ReplaceAll(content, nil)
	content = regexp.MustCompile(`,\n  "manifest_sha256": "[0-9a-f]{64}"`).ReplaceAll(content, nil)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(content), `"format": 2`, `"format": 1`, 1)), 0o600))
	old, err = Open(old.Folder)
	require.NoError(t, err)
	require.Equal(t, []any{1, uint64(0)}, []any{old.Manifest.Format, old.Manifest.Number})
	_ = restoreFile(t, old)

	next := n.createBackup(t, o)
	require.Equal(t, []any{2, uint64(1)}, []any{next.Manifest.Format, next.Manifest.Number})
	list, err := List(n.folder)
	require.NoError(t, err)
	require.Equal(t, []Backup{next, old}, list)
	editManifest(t, old, `"taken": "2026-`, `"taken": "2027-`)
	_, err = List(n.folder)
	require.ErrorIs(t, err, ErrDamaged, "its folder says another time")
}
