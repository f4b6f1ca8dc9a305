package scoreapi

import "hash/maphash"

// memberNames are the names used so far in one object whose names the contract does
// not know. The first few are compared one by one, which costs less than hashing
// them; an object of more has them in the decoder's nameSet.
type memberNames struct {
	few    [8]string
	n      int
	object uint32 // its number in the nameSet, once n is beyond few
}

// add reports whether the object did not have the name yet.
func (m *memberNames) add(set *nameSet, name string) bool {
	if m.n > len(m.few) {
		return set.add(m.object, name)
	}
	for i := range m.few[:m.n] {
		if m.few[i] == name {
			return false
		}
	}
	if m.n < len(m.few) {
		m.few[m.n] = name
		m.n++
		return true
	}
	m.object = set.object()
	for _, earlier := range m.few {
		set.add(m.object, earlier)
	}
	m.n++
	return set.add(m.object, name)
}

// nameSet holds the names of large objects: a hash table with open addressing. Objects are numbered from one
// document to the next, so that nothing need be cleared between documents. The
// seed is its own: nobody can choose names that collide.
type nameSet struct {
	seed  maphash.Seed
	slots []nameSlot // a power of two, at most half of them used
	used  int        // by this document
	first uint32     // the document's first object; slots of earlier ones are free
	next  uint32
}

type nameSlot struct {
	object uint32
	name   string
}

const (
	minSlots  = 64
	keptSlots = 4096 // more are given back, 96 KiB
)

func (s *nameSet) reset() {
	if s.next == 0 || s.next > 1<<31 {
		*s = nameSet{seed: maphash.MakeSeed(), next: 1}
	}
	if len(s.slots) > keptSlots {
		s.slots = nil
	}
	s.first, s.used = s.next, 0
}

// object returns the number of an object that begins.
func (s *nameSet) object() uint32 {
	s.next++
	return s.next - 1
}

// add reports whether the object did not have the name yet.
func (s *nameSet) add(object uint32, name string) bool {
	if 2*(s.used+1) > len(s.slots) {
		s.grow()
	}
	slot := s.find(object, name)
	if slot.object >= s.first {
		return false
	}
	*slot = nameSlot{object, name}
	s.used++
	return true
}

// find returns the slot that has the name, or the free one where it belongs.
func (s *nameSet) find(object uint32, name string) *nameSlot {
	mask := uint64(len(s.slots) - 1)
	h := maphash.String(s.seed, name) + uint64(object)*0x9e3779b97f4a7c15
	for i := (h ^ h>>32) & mask; ; i = (i + 1) & mask {
		slot := &s.slots[i]
		if slot.object < s.first || slot.object == object && slot.name == name {
			return slot
		}
	}
}

func (s *nameSet) grow() {
	old := s.slots
	s.slots = make([]nameSlot, max(minSlots, 2*len(old)))
	for _, slot := range old {
		if slot.object >= s.first {
			*s.find(slot.object, slot.name) = slot
		}
	}
}
