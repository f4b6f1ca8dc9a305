// Package build answers: which networks do these lists name?
//
// It makes MaxMind-format files from open lists: a [Tree] takes lists of autonomous
// systems ([Tree.AddASN]) or of networks ([Tree.AddLists], [Tree.AddHosting]), and
// [Tree.Save] writes what the daemon reads. Lists are read strictly: an error names
// the file and the line.
package build

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/inserter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/waryauth/wary/signals/geoip"
)

// Tree is a file in the making.
type Tree struct {
	// Reading, where there is one, is told of each list that is read, with its length in
	// bytes, and then of the bytes as they are read.
	Reading func(path string, size int64) io.WriteCloser

	tree           *mmdbwriter.Tree
	added, skipped int
}

// New returns an empty tree of one of MaxMind's database types, as if made at a time:
// the same lists and time give the same bytes.
func New(databaseType, description string, at time.Time) (*Tree, error) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: databaseType,
		Description:  map[string]string{"en": description},
		Languages:    []string{"en"},
		BuildEpoch:   at.Unix(),
		// Lists may touch reserved networks; no lookup asks for them.
		IncludeReservedNetworks: true,
	})
	if err != nil {
		return nil, err
	}
	return &Tree{tree: tree}, nil
}

// count counts an insertion. 2001::/32 and 2002::/16 (Teredo, 6to4) are copies
// of the IPv4 tree in this format and take no networks of their own.
func (t *Tree) count(err error) error {
	var aliased *mmdbwriter.AliasedNetworkError
	if errors.As(err, &aliased) {
		t.skipped++
		return nil
	}
	if err == nil {
		t.added++
	}
	return err
}

// AddASN adds the autonomous systems of CSV files (first address, last address, number,
// organization); a folder stands for its asn-ipv4.csv and asn-ipv6.csv.
func (t *Tree) AddASN(paths []string) error {
	files, err := asnFiles(paths)
	if err != nil {
		return err
	}
	return t.eachASN(files, t.addASN)
}

func (t *Tree) addASN(r asnRange) error {
	record := mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(r.number)}
	if r.organization != "" {
		record["autonomous_system_organization"] = mmdbtype.String(r.organization)
	}
	return t.count(t.tree.InsertRange(r.first.AsSlice(), r.last.AsSlice(), record))
}

// flags makes the record of one class.
func flags(key string, anonymous bool) inserter.Func {
	record := mmdbtype.Map{mmdbtype.String(key): mmdbtype.Bool(true)}
	if anonymous {
		record["is_anonymous"] = mmdbtype.Bool(true)
	}
	return inserter.TopLevelMergeWith(record)
}

// AddLists marks the networks of lists with a key of an Anonymous-IP file, and as
// anonymous. A list has one address or CIDR network a line, or CSV with one in it; #
// begins a comment.
func (t *Tree) AddLists(files []string, key string, anonymous bool) error {
	record := flags(key, anonymous)
	return t.eachFile(files, func(r io.Reader) error {
		return readNetworks(r, func(p netip.Prefix) error {
			network := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
			return t.count(t.tree.InsertFunc(network, record))
		})
	})
}

// AddHosting marks as hosting the networks of the autonomous systems that lists name:
// csvs are as AddASN takes them.
func (t *Tree) AddHosting(lists, csvs []string) error {
	hosting := map[uint32]bool{}
	err := t.eachFile(lists, func(r io.Reader) error {
		return readNumbers(r, func(number uint32) { hosting[number] = true })
	})
	if err != nil || len(hosting) == 0 {
		return err
	}
	files, err := asnFiles(csvs)
	if err != nil {
		return err
	}
	record := flags("is_hosting_provider", true)
	return t.eachASN(files, func(r asnRange) error {
		if !hosting[r.number] {
			return nil
		}
		return t.count(t.tree.InsertRangeFunc(r.first.AsSlice(), r.last.AsSlice(), record))
	})
}

// Save writes the file beside out, opens it as the daemon would, and renames it; as
// says what kind of file it is. What was done is told to log.
func (t *Tree) Save(log io.Writer, out string, as func(path string) geoip.Files) (err error) {
	if t.added == 0 {
		return errors.New("the lists hold no network: nothing is written")
	}
	f, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // already closed, or of no more use
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := t.tree.WriteTo(f); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	database, err := geoip.Open(as(f.Name()))
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return err
	}
	info := database.Describe()[0]
	fmt.Fprintf(log, "%s: %d entries (%d within 2001::/32 and 2002::/16 skipped), %d bytes, %s\n", out, t.added, t.skipped, info.Bytes, info.Digest)
	return nil
}

// asnFiles names the CSV files of folders; a path that is no folder is a file.
func asnFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		stat, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !stat.IsDir() {
			files = append(files, path)
			continue
		}
		found := len(files)
		for _, name := range []string{"asn-ipv4.csv", "asn-ipv6.csv"} {
			if _, err := os.Stat(filepath.Join(path, name)); err == nil {
				files = append(files, filepath.Join(path, name))
			}
		}
		if len(files) == found {
			return nil, fmt.Errorf("%s holds neither asn-ipv4.csv nor asn-ipv6.csv", path)
		}
	}
	return files, nil
}

// eachFile reads files one after the other and names the one that is at fault.
func (t *Tree) eachFile(files []string, read func(io.Reader) error) error {
	for _, path := range files {
		if err := t.readFile(path, read); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (t *Tree) readFile(path string, read func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	if t.Reading == nil {
		return read(f)
	}
	told := t.Reading(path, stat.Size())
	defer told.Close()
	return read(io.TeeReader(f, told))
}

func (t *Tree) eachASN(files []string, each func(asnRange) error) error {
	return t.eachFile(files, func(r io.Reader) error { return readASN(r, each) })
}
