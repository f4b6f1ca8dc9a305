package features

import (
	"encoding/binary"
	"unsafe"

	"github.com/dchest/siphash"

	"github.com/waryauth/wary/signals"
)

// Key is the keyed hash of an identifier. State and log hold no identifier
// itself. Zero is "absent".
type Key uint64

// Hasher makes keys: SipHash-2-4 under a secret of 128 bits, so that neither a
// dictionary nor a chosen collision works without the secret.
type Hasher struct{ k0, k1 uint64 }

// NewHasher returns the hasher of a secret.
func NewHasher(k0, k1 uint64) Hasher { return Hasher{k0, k1} }

// Kind separates the name spaces of keys: the same text as a subject and as a
// device gives unrelated keys.
type Kind uint8

// Kinds of keys.
const (
	KindUser Kind = iota + 1
	// KindAddress is of IPv6 the /64: a device changes the rest every day (RFC 8981).
	KindAddress
	KindSubnet // /24 of IPv4, /48 of IPv6
	KindASN
	KindCountry
	KindDevice
	KindFingerprint
	KindAgent
	KindBrowser
	KindOS
	KindClass
	KindLanguage
	KindClient
	KindRedirect
	KindScope
	KindPayee
	KindProof
	KindTLS
	KindAttempt
	KindFeedback
	KindEvent
	KindRhythm
	KindPair
	KindScreen
	KindHardware
	KindDeclared // what a client says of the person's device
	KindDetail   // type of an authorization detail
)

// Key returns the key of an identifier; of "" it is zero.
func (h Hasher) Key(kind Kind, s string) Key {
	if s == "" {
		return 0
	}
	return h.bytes(kind, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// Number returns the key of a number that identifies something (an ASN); of 0
// it is zero.
func (h Hasher) Number(kind Kind, n uint64) Key {
	if n == 0 {
		return 0
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	return h.bytes(kind, b[:])
}

// Pair returns the key of two entities seen together.
func (h Hasher) Pair(a, b Key) Key {
	if a == 0 || b == 0 {
		return 0
	}
	var buf [16]byte
	binary.LittleEndian.PutUint64(buf[:], uint64(a))
	binary.LittleEndian.PutUint64(buf[8:], uint64(b))
	return h.bytes(KindPair, buf[:])
}

func (h Hasher) bytes(kind Kind, b []byte) Key {
	if v := siphash.Hash(h.k0, h.k1^uint64(kind)<<56, b); v != 0 {
		return Key(v)
	}
	return 1 // zero means absent
}

// Trace is what an attempt leaves behind: hashed identifiers and the few values
// that state folds. It holds no pointer and no identifier; the fact in the log
// carries it, so state is a fold of the log.
type Trace struct {
	Time int64 // event time, Unix milliseconds

	User        Key // zero for an unknown subject: it makes no user record
	Address     Key
	Subnet      Key
	ASN         Key
	Country     Key
	Device      Key
	Fingerprint Key
	Agent       Key // whole user agent string
	Browser     Key // family and version
	OS          Key // family and version
	Class       Key
	Language    Key
	Client      Key
	Redirect    Key
	Payee       Key
	Proof       Key // DPoP key thumbprint
	TLS         Key // JA4
	Screen      Key // size, depth and pixel ratio
	Hardware    Key // GPU, cores and memory
	Declared    Key // what the client says of the person's device
	UserClient  Key // pair
	UserAddress Key // pair

	Typed Key // the subject as typed, known or not: distinct users of an address count it
	// One bit for each scope's, and each detail type's, hash: small sets without
	// names, in which two members may share a bit.
	Scopes, Details uint64

	Latitude, Longitude, AccuracyKM float32
	AmountMinor                     int64 // amount in hundredths, -1 missing
	Region, City                    uint32
	BrowserFamily, OSFamily         uint32 // 32-bit hashes, 0 unknown
	BrowserMajor                    uint16
	CountryCode                     signals.Country // zero unknown
	OffsetMin                       int16           // device's minutes east of UTC, NoOffset where missing
	LocalMin                        int16           // minutes east of UTC at the place, NoOffset where missing

	Rhythm Rhythm

	Action  signals.Action
	Result  signals.Result
	Outcome Outcome
	Flags   TraceFlags
	Resumed bool // continues a challenged attempt: with its success it is one success
}

// NoOffset marks a missing time zone offset.
const NoOffset = -1 << 15

// TraceFlags are single bits of a trace.
type TraceFlags uint16

// Flags of a trace.
const (
	Located   TraceFlags = 1 << iota // latitude and longitude are known
	Hosted                           // hosting network
	Anonymous                        // any anonymizer
	Cellular
	Unattended // the person is not present
	UnknownSubject
	// Displaced: the address is where its network ends, not where the person is.
	// Extract sets it too, where many people share the address.
	Displaced
	// How the credentials were filled in, where that was told.
	FillTold
	Filled // by the browser or a password manager
	PasteTold
	Pasted
	// Whether the device proved a key, and the person more than a password.
	KeyTold
	Keyed
	ProofTold
	Proven
)

// Outcome is what the engine decided, as far as state cares.
type Outcome uint8

// Outcomes.
const (
	Undecided Outcome = iota
	Allowed
	SteppedUp
	Denied
)
