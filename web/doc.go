// Package web holds the dashboard: static files, embedded. There is no build step; what browsers get differs from what is
// written by comments and indentation only, and by style sheets being one.
//
// static/ has the pages, style and modules; static/vendor/ has the browser libraries, each with name, version, licence
// and hash in vendor.json, which a test holds the files to. Nothing refers to another host: the server's content
// security policy would refuse it.
package web
