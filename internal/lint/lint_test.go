package lint

import (
	"os"
	"testing"
)

func TestHouseRules(t *testing.T) {
	broken, err := Check(os.DirFS("../.."), House())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range broken {
		t.Error(line)
	}
}
