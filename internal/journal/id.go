package journal

import (
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/dchest/siphash"
)

// ID names a record of some node's log to those outside. It carries the record's
// address, so that it is found by one read, and a keyed tag, so that addresses cannot be
// guessed.
type ID struct {
	Node uint16
	At   Address
	Tag  uint64
}

// IDBytes is the length of an ID in bytes: node, segment, offset, tag. Its text is
// IDText long.
const (
	IDBytes = 2 + 4 + 4 + 8
	IDText  = IDBytes / 3 * 4
)

// ErrID is the error of a text that is no ID of a Sealer's.
var ErrID = errors.New("no such id")

// Append appends the id's text.
func (id ID) Append(dst []byte) []byte {
	b := id.Bytes()
	return base64.RawURLEncoding.AppendEncode(dst, b[:])
}

func (id ID) String() string { return string(id.Append(nil)) }

// Bytes returns the id in its binary form.
func (id ID) Bytes() (b [IDBytes]byte) {
	binary.BigEndian.PutUint16(b[0:], id.Node)
	binary.BigEndian.PutUint32(b[2:], id.At.Segment)
	binary.BigEndian.PutUint32(b[6:], id.At.Offset)
	binary.BigEndian.PutUint64(b[10:], id.Tag)
	return b
}

// IDOf returns the id of its binary form.
func IDOf(b *[IDBytes]byte) ID {
	return ID{
		Node: binary.BigEndian.Uint16(b[0:]),
		At:   Address{Segment: binary.BigEndian.Uint32(b[2:]), Offset: binary.BigEndian.Uint32(b[6:])},
		Tag:  binary.BigEndian.Uint64(b[10:]),
	}
}

// Sealer makes and checks the tags of ids by a key.
type Sealer struct{ K0, K1 uint64 }

// Seal returns the id of an address on a node.
func (s Sealer) Seal(node uint16, at Address) ID {
	id := ID{Node: node, At: at}
	b := id.Bytes()
	id.Tag = siphash.Hash(s.K0, s.K1, b[:IDBytes-8])
	return id
}

// ParseID returns the id of a text, or ErrID. Its tag is not checked, which takes the
// key: for those who hold the log itself.
func ParseID(text string) (ID, error) {
	var b [IDBytes + 1]byte
	if len(text) != IDText {
		return ID{}, ErrID
	}
	if _, err := base64.RawURLEncoding.Decode(b[:], []byte(text)); err != nil {
		return ID{}, ErrID
	}
	id := IDOf((*[IDBytes]byte)(b[:]))
	if id.String() != text { // line ends, which the decoder passes over
		return ID{}, ErrID
	}
	return id, nil
}

// Parse returns the id of a text, or ErrID where the tag is not of this key.
func (s Sealer) Parse(text string) (ID, error) {
	id, err := ParseID(text)
	if err != nil || s.Seal(id.Node, id.At).Tag != id.Tag {
		return ID{}, ErrID
	}
	return id, nil
}
