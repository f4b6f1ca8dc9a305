package engine

import (
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/dchest/siphash"

	"github.com/waryauth/wary/internal/journal"
)

// ID names a decision. It carries the decision's address in the log, so a
// receipt is one read, and a keyed tag, so that addresses cannot be guessed.
type ID struct {
	Node uint16
	At   journal.Address
	Tag  uint64
}

// idBytes is the length of an ID before encoding: node, segment, offset, tag.
const idBytes = 2 + 4 + 4 + 8

// idText is the length of an ID's text.
const idText = idBytes / 3 * 4

// ErrID is the error of a text that is no decision's id.
var ErrID = errors.New("no such decision")

// Append appends the id's text.
func (id ID) Append(dst []byte) []byte {
	var b [idBytes]byte
	id.put(&b)
	return base64.RawURLEncoding.AppendEncode(dst, b[:])
}

func (id ID) String() string { return string(id.Append(nil)) }

func (id ID) put(b *[idBytes]byte) {
	binary.BigEndian.PutUint16(b[0:], id.Node)
	binary.BigEndian.PutUint32(b[2:], id.At.Segment)
	binary.BigEndian.PutUint32(b[6:], id.At.Offset)
	binary.BigEndian.PutUint64(b[10:], id.Tag)
}

func idOf(b *[idBytes]byte) ID {
	return ID{
		Node: binary.BigEndian.Uint16(b[0:]),
		At:   journal.Address{Segment: binary.BigEndian.Uint32(b[2:]), Offset: binary.BigEndian.Uint32(b[6:])},
		Tag:  binary.BigEndian.Uint64(b[10:]),
	}
}

// sealer makes and checks the tags of ids.
type sealer struct{ k0, k1 uint64 }

// seal returns the id of an address on this node.
func (s sealer) seal(node uint16, at journal.Address) ID {
	id := ID{Node: node, At: at}
	var b [idBytes]byte
	id.put(&b)
	id.Tag = siphash.Hash(s.k0, s.k1, b[:idBytes-8])
	return id
}

// ParseAddress returns the id of a text, or ErrID. Its tag is not checked, which
// takes the secret of the daemon: for those who hold the log itself.
func ParseAddress(text string) (ID, error) {
	var b [idBytes + 1]byte
	if len(text) != idText {
		return ID{}, ErrID
	}
	if _, err := base64.RawURLEncoding.Decode(b[:], []byte(text)); err != nil {
		return ID{}, ErrID
	}
	id := idOf((*[idBytes]byte)(b[:]))
	if id.String() != text { // line ends, which the decoder passes over
		return ID{}, ErrID
	}
	return id, nil
}

// parse returns the id of a text, or ErrID where the tag is not ours.
func (s sealer) parse(text string) (ID, error) {
	id, err := ParseAddress(text)
	if err != nil || s.seal(id.Node, id.At).Tag != id.Tag {
		return ID{}, ErrID
	}
	return id, nil
}
