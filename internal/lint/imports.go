package lint

import (
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// edge is one import: of a folder of the module, or of another module's path.
type edge struct {
	to  string
	own bool
	pos token.Pos
}

// imports checks the order of the rooms (R1), parents and children (R2), what
// may never be reached, and the depth of the graph. Tests are not part of it: a
// contract suite is a sibling of the adapters whose tests run it.
func (a *audit) imports() {
	graph := map[string][]edge{}
	for _, dir := range a.dirs() {
		if room(a.Rooms, dir) < 0 {
			a.whole(dir, "is in no room of the design")
		}
		graph[dir] = a.edges(dir)
		for _, e := range graph[dir] {
			if e.own {
				a.order(dir, e)
			}
		}
	}
	for _, dir := range a.dirs() {
		for _, u := range a.Unreachable {
			if within(dir, u.From...) {
				a.reach(graph, u.To, []string{dir}, map[string]bool{})
			}
		}
	}
	a.depth(graph)
}

func (a *audit) edges(dir string) []edge {
	var edges []edge
	for _, f := range a.packages[dir] {
		if f.test {
			continue
		}
		for _, im := range f.Imports {
			to, _ := strconv.Unquote(im.Path.Value) // parse has unquoted it once already
			folder, own := a.folder(to)
			if own {
				to = folder
			}
			edges = append(edges, edge{to, own, im.Pos()})
		}
	}
	return edges
}

func (a *audit) order(from string, e edge) {
	here, there := room(a.Rooms, from), room(a.Rooms, e.to)
	switch {
	case here < 0 || there < 0: // said once, of the folder itself
	case there > here:
		a.at(e.pos, "%s may not import %s: it is not above it", from, e.to)
	case there < here || within(from, e.to) || slices.Contains(a.Joins, a.Rooms[here]):
	case within(e.to, from):
		a.at(e.pos, "%s may not import %s: a parent never imports its child", from, e.to)
	default:
		a.at(e.pos, "%s may not import %s: siblings never import each other", from, e.to)
	}
}

// room returns the index of the room a folder lies in, or -1.
func room(rooms []string, folder string) int {
	return slices.IndexFunc(rooms, func(r string) bool { return within(folder, r) })
}

// reach follows every chain of imports once and tells of those that arrive.
func (a *audit) reach(graph map[string][]edge, refused, chain []string, seen map[string]bool) {
	for _, e := range graph[chain[len(chain)-1]] {
		if seen[e.to] {
			continue
		}
		seen[e.to] = true
		longer := append(slices.Clone(chain), e.to)
		if within(e.to, refused...) {
			a.at(e.pos, "%s may not reach %s: %s", chain[0], e.to, strings.Join(longer, " > "))
			continue
		}
		if e.own {
			a.reach(graph, refused, longer, seen)
		}
	}
}

func (a *audit) depth(graph map[string][]edge) {
	longest := map[string][]string{}
	var chain func(dir string) []string
	chain = func(dir string) []string {
		if known, ok := longest[dir]; ok {
			return known
		}
		longest[dir] = nil // ends a cycle, which order and the compiler refuse
		var below []string
		for _, e := range graph[dir] {
			if !e.own {
				continue
			}
			if c := chain(e.to); len(c) > len(below) {
				below = c
			}
		}
		longest[dir] = append([]string{dir}, below...)
		return longest[dir]
	}
	for _, dir := range a.dirs() {
		if c := chain(dir); len(c) > a.Depth {
			a.whole(dir, "imports are %d packages deep, the budget is %d: %s", len(c), a.Depth, strings.Join(c, " > "))
		}
	}
}
