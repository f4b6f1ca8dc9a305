package geoip

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oschwald/geoip2-golang/v2"
	"github.com/oschwald/maxminddb-golang/v2"
)

// Files names the file of each kind; an empty path means there is none. Other
// types that hold the same fields are accepted: see Open's error for the list.
type Files struct {
	City           string
	ASN            string
	Anonymous      string
	ConnectionType string
	ISP            string

	dir string // where Find looked: Reload looks there again for what was not there
}

// kind is what a file is asked for.
type kind int

const (
	city kind = iota
	asn
	anonymous
	connectionType
	isp
	kinds
)

// kindOf says of each kind what people call it, which types of file hold its
// fields, and under which names Find looks for one, the best first.
var kindOf = [kinds]struct {
	name  string
	types []string
	files []string
}{
	city: {
		name: "City",
		types: []string{"GeoLite2-City", "GeoIP2-City", "GeoIP2-City-Africa", "GeoIP2-City-Asia-Pacific", "GeoIP2-City-Europe",
			"GeoIP2-City-North-America", "GeoIP2-City-South-America", "GeoIP2-Precision-City", "GeoIP-City-Redacted-US",
			"GeoIP2-Enterprise", "GeoIP-Enterprise-Redacted-US", "DBIP-City-Lite", "DBIP-Location (compat=City)",
			"DBIP-Location-ISP (compat=Enterprise)"},
		files: []string{"city.mmdb", "GeoIP2-City.mmdb", "GeoIP2-Enterprise.mmdb", "GeoLite2-City.mmdb"},
	},
	asn: {
		name:  "ASN",
		types: []string{"GeoLite2-ASN", "DBIP-ASN-Lite (compat=GeoLite2-ASN)", "GeoIP2-ISP", "GeoIP2-Precision-ISP"},
		files: []string{"asn.mmdb", "GeoLite2-ASN.mmdb"},
	},
	anonymous: {
		name:  "Anonymous-IP",
		types: []string{"GeoIP2-Anonymous-IP", "GeoIP-Anonymous-Plus"},
		files: []string{"anonymous.mmdb", "GeoIP2-Anonymous-IP.mmdb", "GeoIP-Anonymous-Plus.mmdb"},
	},
	connectionType: {
		name:  "Connection-Type",
		types: []string{"GeoIP2-Connection-Type"},
		files: []string{"connection-type.mmdb", "GeoIP2-Connection-Type.mmdb"},
	},
	isp: {
		name:  "ISP",
		types: []string{"GeoIP2-ISP", "GeoIP2-Precision-ISP"},
		files: []string{"isp.mmdb", "GeoIP2-ISP.mmdb"},
	},
}

// path returns where the path of one kind is kept.
func (f *Files) path(k kind) *string {
	return [kinds]*string{&f.City, &f.ASN, &f.Anonymous, &f.ConnectionType, &f.ISP}[k]
}

// Find looks in a folder for files under their usual names: city.mmdb,
// asn.mmdb, anonymous.mmdb, connection-type.mmdb and isp.mmdb, or the names
// that MaxMind gives them (GeoLite2-City.mmdb, GeoIP2-City.mmdb, ...). A folder
// that is not there holds none; files that come later are found by Reload. An
// empty dir finds nothing.
func Find(dir string) Files {
	files := Files{dir: dir}
	if dir == "" {
		return files
	}
	for k := range kinds {
		for _, name := range kindOf[k].files {
			path := filepath.Join(dir, name)
			if stat, err := os.Stat(path); err == nil && stat.Mode().IsRegular() {
				*files.path(k) = path
				break
			}
		}
	}
	return files
}

// FileInfo describes a file that is serving.
type FileInfo struct {
	Kind   string    `json:"kind"` // what it is asked for: City, ASN, Anonymous-IP, Connection-Type, ISP
	Path   string    `json:"path"`
	Type   string    `json:"type"`   // database_type of its metadata
	Built  time.Time `json:"built"`  // build_epoch of its metadata
	Nodes  uint      `json:"nodes"`  // of its search tree
	Bytes  int64     `json:"bytes"`  // its size
	Digest string    `json:"digest"` // "sha256:" and 64 hexadecimal digits
}

// source is a file that was read, and how it looked on disk. Its content and
// reader go once a tree is made of them.
type source struct {
	info    FileInfo
	stat    fs.FileInfo
	content []byte
	reader  *maxminddb.Reader
}

// maxFileBytes is far above any file sold today (Enterprise: 0.4 GB), and keeps
// the links of a tree within 31 bits.
const maxFileBytes = 2 << 30

// errUnsettled means that a file changed while it was read: look again later.
var errUnsettled = errors.New("changed while it was read")

// read reads a file whole and checks that its type holds what kind k is asked
// for. Its records are not looked at.
func read(k kind, path string) (*source, error) {
	content, stat, err := slurp(path)
	if err != nil {
		return nil, fmt.Errorf("read %s file: %w", kindOf[k].name, err)
	}
	checked, err := geoip2.OpenBytes(content)
	var unknown geoip2.UnknownDatabaseTypeError
	if errors.As(err, &unknown) {
		return nil, wrongType(k, path, unknown.DatabaseType)
	}
	if err != nil {
		return nil, corrupt(path, err)
	}
	meta := checked.Metadata()
	if !slices.Contains(kindOf[k].types, meta.DatabaseType) {
		return nil, wrongType(k, path, meta.DatabaseType)
	}
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, corrupt(path, err)
	}
	digest := sha256.Sum256(content)
	return &source{
		info: FileInfo{
			Kind:   kindOf[k].name,
			Path:   path,
			Type:   meta.DatabaseType,
			Built:  meta.BuildTime().UTC(),
			Nodes:  meta.NodeCount,
			Bytes:  int64(len(content)),
			Digest: "sha256:" + hex.EncodeToString(digest[:]),
		},
		stat:    stat,
		content: content,
		reader:  reader,
	}, nil
}

// slurp reads a regular file and makes sure that it was not written meanwhile.
func slurp(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: not a regular file", path)
	}
	if before.Size() > maxFileBytes {
		return nil, nil, fmt.Errorf("%s: has %d bytes, more than the %d allowed", path, before.Size(), maxFileBytes)
	}
	var content bytes.Buffer
	content.Grow(int(before.Size()) + bytes.MinRead)
	if _, err := content.ReadFrom(io.LimitReader(f, before.Size()+1)); err != nil {
		return nil, nil, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if int64(content.Len()) != before.Size() || !same(before, after) {
		return nil, nil, fmt.Errorf("%s: %w", path, errUnsettled)
	}
	return content.Bytes(), after, nil
}

// same reports whether a file looks unchanged: inode, size, modification time.
func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func wrongType(k kind, path, found string) error {
	return fmt.Errorf("%s: is a %q file; a %s file is wanted (%s)", path, found, kindOf[k].name, strings.Join(kindOf[k].types, ", "))
}

func corrupt(path string, err error) error {
	return fmt.Errorf("%s: is not a whole MaxMind file: %w", path, err)
}
