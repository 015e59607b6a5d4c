package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
)

const phoneProduct = "xiaomi-optin"

// published is a world with one release open to everybody.
func published(ctx context.Context, dir, image string, older ...string) (*world.World, error) {
	w, err := world.New(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := w.Ceremony(ctx, phoneProduct); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if err := w.ReleaseForAll(ctx, phoneProduct, 42, image, older...); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func refresh(ctx context.Context, dir string) (rows []figure.Row, err error) {
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		return nil, err
	}
	w, err := published(ctx, dir, image)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	cold, warm, err := refreshTimes(ctx, w)
	if err != nil {
		return nil, err
	}
	coldRequests, warmRequests, err := refreshRequests(ctx, w)
	if err != nil {
		return nil, err
	}
	return []figure.Row{
		figure.Of("cold refresh, median", 1e3*cold.Seconds(), "ms"),
		figure.AtMost("cold refresh, requests for metadata", coldRequests, "requests", 6),
		figure.AtMost("warm refresh (304), median", 1e3*warm.Seconds(), "ms", 2),
		figure.AtMost("warm refresh (304), requests", warmRequests, "requests", 1),
	}, nil
}

// handset opens a fresh store that trusts the world's root.
func freshClient(w *world.World, address string) (*trust.Client, error) {
	dir, err := os.MkdirTemp(w.Dir, "store-")
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(w.Path("1.root.json"))
	if err != nil {
		return nil, err
	}
	if err := trust.Init(dir, root); err != nil {
		return nil, err
	}
	store, err := trust.OpenStore(dir)
	if err != nil {
		return nil, err
	}
	source, err := fetch.New(fetch.Options{Bases: []string{address}})
	if err != nil {
		return nil, err
	}
	clock := func() (time.Time, bool) { return time.Now(), true }
	return &trust.Client{Store: store, Fetch: source, Product: manifests.Product(phoneProduct), Clock: clock, Built: time.Unix(0, 0)}, nil
}

func refreshTimes(ctx context.Context, w *world.World) (cold, warm time.Duration, err error) {
	var colds, warms []time.Duration
	for range 20 {
		c, err := freshClient(w, w.Server)
		if err != nil {
			return 0, 0, err
		}
		for i := range 11 {
			began := time.Now()
			if _, err := c.Poll(ctx); err != nil {
				return 0, 0, err
			}
			if took := time.Since(began); i == 0 {
				colds = append(colds, took)
			} else {
				warms = append(warms, took)
			}
		}
		if err := c.Store.Close(); err != nil {
			return 0, 0, err
		}
	}
	return median(colds), median(warms), nil
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func refreshRequests(ctx context.Context, w *world.World) (cold, warm float64, err error) {
	to, err := url.Parse(w.Server)
	if err != nil {
		return 0, 0, err
	}
	var count atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/"+layout.MetadataDir+"/") {
			count.Add(1)
		}
		proxy.ServeHTTP(rw, r)
	}))
	defer front.Close()
	c, err := freshClient(w, front.URL)
	if err != nil {
		return 0, 0, err
	}
	if _, err := c.Poll(ctx); err != nil {
		return 0, 0, err
	}
	cold = float64(count.Swap(0))
	if _, err := c.Poll(ctx); err != nil {
		return 0, 0, err
	}
	return cold, float64(count.Load()), c.Store.Close()
}
