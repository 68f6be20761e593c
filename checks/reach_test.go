package checks_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
)

// TestReachIDs: the short table and the long one say the same.
func TestReachIDs(t *testing.T) {
	var long []checks.Weighed
	for _, m := range checks.CatalogReach {
		long = append(long, checks.Weighed{ID: m.ID, Layer: m.Layer, Severity: m.Severity})
	}
	if short := checks.ReachIDs(); !slices.Equal(short, long) {
		t.Errorf("short %v\nlong  %v", short, long)
	}
}

// TestAsksReach: each key of a policy is either one of the first checks' or asks
// for reach.
func TestAsksReach(t *testing.T) {
	first := []string{
		"Process.User", "Process.Capabilities", "Process.Securebits", "Process.NoNewPrivileges", "Process.UniformThreads",
		"Seccomp", "Filesystem.Root", "Descriptors.NoneOutsideRoot", "Probes",
	}
	var walk func(v reflect.Value, at string, p *policy.Policy)
	walk = func(v reflect.Value, at string, p *policy.Policy) {
		for i := range v.NumField() {
			name := at + v.Type().Field(i).Name
			if v.Field(i).Kind() == reflect.Struct && !slices.Contains(first, name) {
				walk(v.Field(i), name+".", p)
				continue
			}
			was := reflect.New(v.Field(i).Type()).Elem()
			was.Set(v.Field(i))
			fill(v.Field(i))
			core := slices.Contains(first, name) || at == "" && (name == "Name" || name == "Source" || name == "SHA256")
			if p.AsksReach() == core {
				t.Errorf("%s: asks %v", name, p.AsksReach())
			}
			v.Field(i).Set(was)
		}
	}
	p := &policy.Policy{}
	walk(reflect.ValueOf(p).Elem(), "", p)
}

// fill sets a value to another than its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	default:
		v.SetUint(1)
	}
}

// TestLeftOutIsUnknown: who asks an audit without these checks is told so, and
// who does not sees them skipped.
func TestLeftOutIsUnknown(t *testing.T) {
	confined, _ := policy.Builtin("confined")
	for name, c := range map[string]struct {
		pol  *policy.Policy
		want report.Status
	}{"confined": {confined, report.Skipped}, "everything": {everything(), report.Unknown}} {
		if got := c.pol.AsksReach(); got != (c.want == report.Unknown) {
			t.Errorf("%s: asks %v", name, got)
		}
		status := map[string]report.Status{}
		for _, f := range checks.RunWithoutFilters(nil, c.pol) {
			status[f.ID] = f.Status
		}
		for _, id := range checks.ReachIDs() {
			if status[id.ID] != c.want {
				t.Errorf("%s: %s is %v", name, id.ID, status[id.ID])
			}
		}
	}
}
