// A reverse proxy as the standard library has it; Traefik and Caddy are built on the same. Spreads requests over its upstreams in turn.
package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
)

func main() {
	var upstreams []*url.URL
	for _, address := range os.Args[2:] {
		upstreams = append(upstreams, &url.URL{Scheme: "http", Host: address})
	}
	var count uint64
	proxy := &httputil.ReverseProxy{
		Director: func(request *http.Request) {
			upstream := upstreams[atomic.AddUint64(&count, 1)%uint64(len(upstreams))]
			request.URL.Scheme, request.URL.Host = upstream.Scheme, upstream.Host
		},
		FlushInterval: -1,
	}
	panic(http.ListenAndServe(os.Args[1], proxy))
}
