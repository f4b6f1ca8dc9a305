package features

import "strconv"

// AppendDocs appends docs/features.md: a table of the Schema for each family.
func AppendDocs(dst []byte) []byte {
	dst = append(dst, "# Features\n\nGenerated from `features.Schema` by `go test ./features -run Docs -update`.\n\n"...)
	dst = append(dst, "A vector holds these "+strconv.Itoa(Width)+" numbers as float32, in this order; NaN where the value is missing. "+
		"*Risk* says how a feature may move the risk: up (the risk never falls as it rises), down, or freely. "+
		"*Reason* is the code shown when it raises the risk. Counts over a span of time do not count the attempt itself. "+
		"Of an attempt without the person (`user_present` false) the device and place are a client's server, and are not compared with the user's.\n"...)
	for f := range Families {
		dst = append(dst, "\n## "+FamilyNames[f]+"\n\n| # | feature | unit | risk | what it is | missing when | reason |\n|--:|---|---|---|---|---|---|\n"...)
		for i := range Schema {
			if int(Schema[i].Family) == f {
				dst = appendRow(dst, i, &Schema[i])
			}
		}
	}
	return dst
}

func appendRow(dst []byte, i int, f *Feature) []byte {
	dst = append(dst, "| "+strconv.Itoa(i)+" | `"+f.Name+"` | "+f.Unit+" | "+f.Risk.String()+" | "+f.Doc+" | "+f.Missing+" | "...)
	if f.Reason != "" {
		dst = append(dst, "`"+f.Reason+"` "...)
	}
	return append(dst, "|\n"...)
}
