package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
)

func ledger(t *testing.T) *sqlite.Ledger {
	t.Helper()
	l := sqlitetest.NewLedger(t, filepath.Join(t.TempDir(), "ledger.db"))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// series gives every series as name{labels}: count or value.
func series(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			out[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = value(m)
		}
	}
	return out
}

func value(m *dto.Metric) float64 {
	if h := m.GetHistogram(); h != nil {
		return float64(h.GetSampleCount())
	}
	return m.GetGauge().GetValue() + m.GetCounter().GetValue()
}

// TestEveryOperationIsMeasured calls each method of both stores with nothing,
// and expects a sample of each: who adds one measures it.
func TestEveryOperationIsMeasured(t *testing.T) {
	o := New(time.Now, nil)
	dir := filepath.Join(t.TempDir(), "tree")
	if err := disk.Create(dir); err != nil {
		t.Fatal(err)
	}
	blobs, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, s := range map[string]struct {
		wrapped any
		of      reflect.Type
	}{
		"sqlite": {o.Ledger(ledger(t)), reflect.TypeFor[store.Ledger]()},
		"disk":   {o.Blobs(blobs), reflect.TypeFor[store.Blobs]()},
	} {
		for i := range s.of.NumMethod() {
			method := s.of.Method(i)
			if method.Name == "Close" {
				continue
			}
			ask(t, reflect.ValueOf(s.wrapped).MethodByName(method.Name))
			key := fmt.Sprintf("candor_store_seconds{driver=%s,operation=%s}", name, method.Name)
			if got := series(t, o.Registry)[key]; got != 1 {
				t.Errorf("%s has %v samples", key, got)
			}
		}
	}
}

// ask calls a method with a context, empty values and functions that agree.
func ask(t *testing.T, f reflect.Value) {
	t.Helper()
	var in []reflect.Value
	for i := range f.Type().NumIn() {
		switch a := f.Type().In(i); {
		case a == reflect.TypeFor[context.Context]():
			in = append(in, reflect.ValueOf(t.Context()))
		case a == reflect.TypeFor[io.Reader]():
			in = append(in, reflect.ValueOf(bytes.NewReader(nil)))
		case a.Kind() == reflect.Func:
			in = append(in, reflect.MakeFunc(a, func([]reflect.Value) []reflect.Value { return []reflect.Value{reflect.Zero(a.Out(0))} }))
		default:
			in = append(in, reflect.Zero(a))
		}
	}
	for _, out := range f.Call(in) {
		if out.Kind() == reflect.Func && !out.IsNil() { // a sequence: read to its end
			yield := reflect.MakeFunc(out.Type().In(0), func([]reflect.Value) []reflect.Value { return []reflect.Value{reflect.ValueOf(true)} })
			out.Call([]reflect.Value{yield})
		}
	}
}

type failing struct {
	store.Ledger
	err error
}

func (f failing) Driver() string             { return "test" }
func (f failing) Ping(context.Context) error { return f.err }
func (f failing) Walk(_ context.Context, _ int64, g func(store.Entry) error) error {
	return g(store.Entry{})
}

func TestFailuresAreTold(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind string
	}{
		{nil, ""},
		{fmt.Errorf("x: %w", store.ErrNotFound), ""},
		{store.ErrStale, ""},
		{fmt.Errorf("x: %w", store.ErrBusy), "busy"},
		{context.Canceled, "left"},
		{errors.New("disk full"), "failed"},
	} {
		o := New(time.Now, nil)
		if err := o.Ledger(failing{err: c.err}).Ping(t.Context()); !errors.Is(err, c.err) {
			t.Errorf("%v became %v", c.err, err)
		}
		all := series(t, o.Registry)
		for _, kind := range []string{"busy", "left", "failed"} {
			got := all["candor_store_errors_total{driver=test,kind="+kind+",operation=Ping}"]
			if (got == 1) != (kind == c.kind) {
				t.Errorf("%v is counted %v times as %s", c.err, got, kind)
			}
		}
	}
	o, own := New(time.Now, nil), errors.New("the reader's")
	if err := o.Ledger(failing{}).Walk(t.Context(), 0, func(store.Entry) error { return own }); !errors.Is(err, own) {
		t.Errorf("the reader's error became %v", err)
	}
	for name := range series(t, o.Registry) {
		if strings.HasPrefix(name, "candor_store_errors_total") {
			t.Errorf("the reader's error is counted: %s", name)
		}
	}
}

func TestPublishesGroupsAndLooksAreMeasured(t *testing.T) {
	now := time.Unix(1000, 0)
	o := New(func() time.Time { return now }, nil)
	_, ended := o.Publishing(t.Context())
	ended(publish.Failed, errors.New("no"))
	_, looked := o.Looking(t.Context())
	looked(errors.New("no"))
	now = now.Add(time.Minute)
	all := series(t, o.Registry)
	for name, want := range map[string]float64{
		"candor_publish_seconds{outcome=failed}": 1, "candor_publish_seconds{outcome=moved}": 0,
		"candor_engine_seconds{outcome=failed}": 1, "candor_engine_age_seconds{}": 60,
	} {
		if got, ok := all[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	_, looked = o.Looking(t.Context())
	looked(nil)
	var groups told
	o.Groups(&groups)
	groups.f(store.Commit{Writes: 3, Took: time.Millisecond})
	groups.f(store.Commit{Writes: 3, Err: errors.New("disk full")})
	all = series(t, o.Registry)
	for name, want := range map[string]float64{
		"candor_engine_age_seconds{}": 0, "candor_group_commit_writes{}": 1, "candor_group_commit_seconds{}": 1,
		"candor_group_commit_failures_total{}": 1, "candor_group_waiting{}": 7,
	} {
		if got, ok := all[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

type told struct{ f func(store.Commit) }

func (g *told) OnCommit(f func(store.Commit)) { g.f = f }
func (*told) Queued() int                     { return 7 }
