// Reads a log laid out as tlog-tiles with the Go checksum database's own verifier, golang.org/x/mod/sumdb.
//
//	main DIRECTORY VKEY FIRST ROOT
//
// It opens the checkpoint with VKEY, reads every entry from the bundles, checks that the tiles prove it, and that the
// tree grew from FIRST entries with the base64 ROOT. It prints "accepted" and the size, or the reason and exits with 1.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

type tiles struct {
	directory string
	size      int64
}

func (t tiles) Height() int { return 8 }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles reads full and partial tiles. x/mod writes the height into a path, tlog-tiles does not: it is always 8.
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(t.directory, path))
		if err != nil {
			return nil, err
		}
		found[i] = data
	}
	return found, nil
}

func (t tiles) entries() ([][]byte, error) {
	var found [][]byte
	for start := int64(0); start < t.size; start += width {
		tile := tlog.Tile{H: 8, L: -1, N: start / width, W: int(min(width, t.size-start))}
		path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(t.directory, path))
		if err != nil {
			return nil, err
		}
		for len(data) >= 2 {
			length := int(binary.BigEndian.Uint16(data))
			if len(data) < 2+length {
				return nil, fmt.Errorf("%s is cut short", path)
			}
			found = append(found, data[2:2+length])
			data = data[2+length:]
		}
	}
	return found, nil
}

func check(directory, vkey string, first int64, root string) (int64, error) {
	signed, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	if err != nil {
		return 0, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return 0, err
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, err
	}
	head, err := parseHash(lines[2])
	if err != nil {
		return 0, err
	}
	old, err := parseHash(root)
	if err != nil {
		return 0, err
	}
	reader := tiles{directory, size}
	hashes := tlog.TileHashReader(tlog.Tree{N: size, Hash: head}, reader)
	entries, err := reader.entries()
	if err != nil {
		return 0, err
	}
	if int64(len(entries)) != size {
		return 0, fmt.Errorf("%d entries for size %d", len(entries), size)
	}
	for index, entry := range entries {
		proof, err := tlog.ProveRecord(size, int64(index), hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(proof, size, head, int64(index), tlog.RecordHash(entry)); err != nil {
			return 0, fmt.Errorf("entry %d: %w", index, err)
		}
	}
	grown, err := tlog.ProveTree(size, first, hashes)
	if err != nil {
		return 0, err
	}
	return size, tlog.CheckTree(grown, size, head, first, old)
}

func parseHash(text string) (tlog.Hash, error) {
	var hash tlog.Hash
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) != len(hash) {
		return hash, fmt.Errorf("%q is not a hash", text)
	}
	copy(hash[:], data)
	return hash, nil
}

func main() {
	first, err := strconv.ParseInt(os.Args[3], 10, 64)
	if err == nil {
		var size int64
		if size, err = check(os.Args[1], os.Args[2], first, os.Args[4]); err == nil {
			fmt.Println("accepted", size)
			return
		}
	}
	fmt.Println("refused:", err)
	os.Exit(1)
}
