package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// writeBill writes the bill of a binary. It has neither time nor serial number: two bills of one binary are equal.
func writeBill(w io.Writer, binary, vendor, version string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	components := []cdx.Component{{
		Type: cdx.ComponentTypeLibrary, BOMRef: "std", Name: "std", Version: info.GoVersion,
		PackageURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"),
	}}
	for _, module := range info.Deps {
		c, err := goModule(module)
		if err != nil {
			return err
		}
		components = append(components, c)
	}
	browser, err := browserModules(vendor)
	if err != nil {
		return err
	}
	components = append(components, browser...)
	bill := cdx.NewBOM()
	bill.SerialNumber = ""
	bill.Metadata = &cdx.Metadata{Component: &cdx.Component{
		Type: cdx.ComponentTypeApplication, BOMRef: "tidemark", Name: info.Main.Path, Version: version,
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		Properties: &[]cdx.Property{
			{Name: "go:GOOS", Value: setting(info, "GOOS")}, {Name: "go:GOARCH", Value: setting(info, "GOARCH")},
		},
	}}
	bill.Components = &components
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bill, cdx.SpecVersion1_6)
}

func goModule(m *debug.Module) (cdx.Component, error) {
	if m.Replace != nil {
		m = m.Replace
	}
	url := "pkg:golang/" + m.Path + "@" + m.Version + "?type=module"
	c := cdx.Component{Type: cdx.ComponentTypeLibrary, BOMRef: url, Name: m.Path, Version: m.Version, PackageURL: url}
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
	if err != nil || len(sum) != 32 {
		return c, fmt.Errorf("%s %s: its sum, %q, is not one of go.sum", m.Path, m.Version, m.Sum)
	}
	c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	return c, nil
}

func setting(info *buildinfo.BuildInfo, key string) string {
	i := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == key })
	if i < 0 {
		return ""
	}
	return info.Settings[i].Value
}

// browserModules are those that the dashboard brings along.
func browserModules(vendor string) ([]cdx.Component, error) {
	content, err := os.ReadFile(vendor)
	if err != nil {
		return nil, err
	}
	var list struct {
		Modules []struct{ Name, Version, Licence string }
	}
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", vendor, err)
	}
	var components []cdx.Component
	for _, m := range list.Modules {
		url := "pkg:npm/" + strings.Replace(m.Name, "@", "%40", 1) + "@" + m.Version
		components = append(components, cdx.Component{
			Type: cdx.ComponentTypeLibrary, BOMRef: url, Name: m.Name, Version: m.Version, PackageURL: url,
			Licenses: &cdx.Licenses{{License: &cdx.License{ID: m.Licence}}},
		})
	}
	return components, nil
}

// schemaOfBills is the one of the version that is written.
const schemaOfBills = "http://cyclonedx.org/schema/bom-1.6.schema.json"

// checkBill validates a bill by the schema that its library brings along.
func checkBill(file string) error {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		return fmt.Errorf("find the schema: %w", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "schema")
	compiler := jsonschema.NewCompiler()
	// They refer to each other by their addresses.
	for address, name := range map[string]string{
		"http://cyclonedx.org/schema/spdx.schema.json":     "spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schemax.json",
		schemaOfBills: "bom-1.6.schema.json",
	} {
		schema, err := readJSON(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := compiler.AddResource(address, schema); err != nil {
			return err
		}
	}
	schema, err := compiler.Compile(schemaOfBills)
	if err != nil {
		return err
	}
	bill, err := readJSON(file)
	if err != nil {
		return err
	}
	if err := schema.Validate(bill); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func readJSON(file string) (any, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return jsonschema.UnmarshalJSON(f)
}
