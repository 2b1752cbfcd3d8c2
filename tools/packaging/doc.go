// Packaging checks the files that deploy/ offers with the code of those who read them, and writes a bill of materials:
//
//	packaging check DIR           DIR/compose.yaml as Docker Compose reads it, DIR/kubernetes.yaml as the Kubernetes API server
//	                              does, DIR/grafana/dashboards/*.json as Grafana does; what they don't know is a fault
//	packaging sbom BINARY VENDOR VERSION
//	                              a CycloneDX bill of BINARY, as JSON: the modules that it says are linked into it, and the browser
//	                              modules of VENDOR, a vendor.json
//	packaging sbom-check FILE     FILE is valid by the schema of CycloneDX
//
// It is a module of its own, so that what it needs stays out of the program's dependencies.
package main
