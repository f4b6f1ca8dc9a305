package features

import (
	"strconv"
	"strings"
)

// note is what docs/features.md tells of a feature that the Schema does not know.
type note struct {
	Gain, Missing float64  // by the shipped model's card
	Takes         []string // what of an attempt, and of memory, it depends on
}

// appendDocs appends docs/features.md: a table of the Schema for each family, with
// notes by the index of the feature.
func appendDocs(dst []byte, notes *[Width]note) []byte {
	dst = append(dst, "# Features\n\nGenerated from `features.Schema` and the card of `models/baseline` by `go test ./features -run Docs -update`.\n\n"...)
	dst = append(dst, "A vector holds these "+strconv.Itoa(Width)+" numbers as float32, in this order; NaN where the value is missing.\n\n"+
		"- *Risk* says how a feature may move the risk: up (the risk never falls as it rises), down, or freely.\n"+
		"- *Gain* is its share of the loss that the shipped model's splits took away in training; - where no tree asks it.\n"+
		"- *Missing* is the share of honest simulated attempts without it, over all the deployments that the model is trained for.\n"+
		"- *Takes* is what it changes with, found by withholding it: the caller's request, the headers, the page (device and behaviour), the address, "+
		"the geo files, the past (memory), or a feed.\n"+
		"- *Reason* is the code shown when it raises the risk.\n"+
		"- Counts over a span of time do not count the attempt itself.\n"+
		"- Of an attempt without the person (`user_present` false) the device and place are a client's server, and are not compared with the user's.\n"+
		"- An IPv6 address is known by its /64: a device changes the rest every day (RFC 8981).\n"+
		"- The address of a VPN, proxy, private relay, carrier, satellite or hosting network, or one that 20 people and more share, is where that network ends: "+
		"it tells nothing of how a person travelled.\n"+
		"- A *feed* has a value where the policy maps a name of the attempt's `external` to it.\n"...)
	for f := range Families {
		dst = append(dst, "\n## "+FamilyNames[f]+"\n\n| # | feature | unit | risk | gain | missing | what it is | missing when | takes | reason |\n|--:|---|---|---|--:|--:|---|---|---|---|\n"...)
		for i := range Schema {
			if int(Schema[i].Family) == f {
				dst = appendRow(dst, i, &Schema[i], &notes[i])
			}
		}
	}
	return dst
}

func appendRow(dst []byte, i int, f *Feature, n *note) []byte {
	gain := "-"
	if n.Gain > 0 {
		gain = percent(n.Gain)
	}
	dst = append(dst, "| "+strconv.Itoa(i)+" | `"+f.Name+"` | "+f.Unit+" | "+f.Risk.String()+" | "+gain+" | "+percent(n.Missing)+" | "+f.Doc+" | "+f.Missing+" | "+strings.Join(n.Takes, ", ")+" | "...)
	if f.Reason != "" {
		dst = append(dst, "`"+f.Reason+"` "...)
	}
	return append(dst, "|\n"...)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }
