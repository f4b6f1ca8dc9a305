// Package geoip answers: where is an address, and who runs it?
//
// It implements signals.Locator over MaxMind-format files: City for the place,
// ASN (or ISP) for the network, Anonymous-IP for the anonymizers, and
// Connection-Type where the operator has it. Find looks for them in a folder,
// Open loads them, Locate answers, and Watch swaps a file that has changed on
// disk while lookups run.
//
// Opening a file decodes every record in it, once: 540,000 records for GeoLite2
// City. So a file that cannot be read is refused as a whole before it serves
// anything, and a lookup is a walk of a search tree that ends at the answer: it
// decodes nothing, allocates nothing and takes no lock. Files are read into
// memory and not mapped, since a mapped file that an operator overwrites in
// place takes the process down with SIGBUS.
//
// Everything loaded is immutable and hangs on one atomic pointer. A file that
// was replaced is freed by the garbage collector after its last lookup.
package geoip

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waryauth/wary/signals"
)

// Database locates addresses. It is safe for concurrent use.
type Database struct {
	current atomic.Pointer[generation]

	mu      sync.Mutex // one reload at a time; guards what follows
	files   Files
	refused [kinds]refusal
}

// generation is what is loaded at one time; it never changes.
type generation struct {
	places     *tree[place]
	zones      []*time.Location // by place.zone; nil where the name is not known
	networks   *tree[uint32]    // ASN file: number
	providers  *tree[uint32]    // ISP file: number
	anonymity  *tree[anonymity]
	connection *tree[signals.ConnectionType]
	loaded     [kinds]*source
	missing    signals.Missing
}

// Open loads the files. A file that is named but cannot be read, is corrupt or
// is of another type is an error. Without any file the Database works and marks
// every lookup missing. The caller need not close it.
func Open(files Files) (*Database, error) {
	next := &generation{}
	var failed []error
	for k := range kinds {
		path := *files.path(k)
		if path == "" {
			continue
		}
		if err := next.load(k, path); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	d := &Database{files: files}
	next.note()
	d.current.Store(next)
	return d, nil
}

// Locate fills Place, Network and Missing of o for the address in it. An
// address that is not public (signals.Private) has no place and is marked Network.Private; one
// that is not valid has nothing. The time decides the offset of the time zone.
// It allocates nothing and never fails: what no file knows stays zero.
func (d *Database) Locate(o *signals.Observation, at time.Time) {
	g := d.current.Load()
	o.Place, o.Network, o.Missing = signals.Place{}, signals.Network{}, g.missing
	ip := o.Address.IP.Unmap()
	if !ip.IsValid() {
		return
	}
	if signals.Private(ip) {
		o.Network.Private = true
		return
	}
	if p := g.places.find(ip); p != nil {
		p.fill(&o.Place, g.zones, at)
	}
	if number := g.providers.find(ip); number != nil {
		o.Network.ASN = *number
	}
	if number := g.networks.find(ip); number != nil && o.Network.ASN == 0 {
		o.Network.ASN = *number
	}
	if c := g.connection.find(ip); c != nil {
		o.Network.Connection = *c
	}
	o.Network.Known = g.anonymity != nil
	if a := g.anonymity.find(ip); a != nil {
		a.fill(&o.Network)
	}
}

// Describe returns the files that are serving, in the order of Files. The slice
// is the caller's.
func (d *Database) Describe() []FileInfo {
	g := d.current.Load()
	infos := make([]FileInfo, 0, kinds)
	for _, s := range g.loaded {
		if s != nil {
			infos = append(infos, s.info)
		}
	}
	return infos
}

// note derives what is missing from what is loaded.
func (g *generation) note() {
	g.missing = 0
	if g.places == nil {
		g.missing |= signals.MissingPlace
	}
	if g.networks == nil && g.providers == nil {
		g.missing |= signals.MissingNetwork
	}
	if g.anonymity == nil {
		g.missing |= signals.MissingAnonymity
	}
}

// load reads the file of one kind into g, which nothing else sees yet. After an
// error g is as it was.
func (g *generation) load(k kind, path string) error {
	s, err := read(k, path)
	if err != nil {
		return err
	}
	switch k {
	case city:
		var zones zones
		err = compile(&g.places, s, zones.decode)
		if err == nil {
			g.zones = zones.locations
		}
	case asn:
		err = compile(&g.networks, s, decodeASN)
	case anonymous:
		err = compile(&g.anonymity, s, decodeAnonymity)
	case connectionType:
		err = compile(&g.connection, s, decodeConnection)
	case isp:
		err = compile(&g.providers, s, decodeASN)
	}
	if err != nil {
		return corrupt(path, err)
	}
	s.reader, s.content = nil, nil // all that matters of them is in the tree
	g.loaded[k] = s
	return nil
}
