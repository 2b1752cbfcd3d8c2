package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// checkCompose loads the compose file: schema, references between services, volumes and secrets, and ports.
func checkCompose(ctx context.Context, dir string) error {
	file := filepath.Join(dir, "compose.yaml")
	details := types.ConfigDetails{
		WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: file}},
		Environment: types.Mapping{"TIDEMARK_VERSION": "v0"},
	}
	project, err := loader.LoadWithContext(ctx, details, func(o *loader.Options) { o.SetProjectName("tidemark", true) })
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var faults []error
	for name := range project.Services {
		service := project.Services[name]
		if service.HealthCheck == nil {
			faults = append(faults, fmt.Errorf("%s: %s has no health check", file, name))
		}
		if _, tag, tagged := strings.Cut(service.Image, ":"); !tagged || tag == "latest" {
			faults = append(faults, fmt.Errorf("%s: %s has no version in its image, %q", file, name, service.Image))
		}
		for _, v := range service.Volumes {
			if _, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && err != nil {
				faults = append(faults, fmt.Errorf("%s: %s: %w", file, name, err))
			}
		}
	}
	return errors.Join(faults...)
}

// checkKubernetes decodes each object strictly: a field that its kind does not have, or one that stands twice, is a fault.
func checkKubernetes(dir string) error {
	file := filepath.Join(dir, "kubernetes.yaml")
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var faults []error
	for i, document := range bytes.Split(content, []byte("\n---\n")) {
		if _, _, err := decoder.Decode(document, nil, nil); err != nil {
			faults = append(faults, fmt.Errorf("%s: object %d: %w", file, i+1, err))
		}
	}
	return errors.Join(faults...)
}

// checkDashboards decodes each dashboard strictly, its panels and queries included.
func checkDashboards(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "grafana", "dashboards", "*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("there is no dashboard in %s", dir)
	}
	plugins.RegisterDefaultPlugins()
	var faults []error
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var d dashboard.Dashboard
		if err := errors.Join(faultsIn(d.UnmarshalJSONStrict(content)), faultsIn(d.Validate())); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", file, err))
		}
	}
	return errors.Join(faults...)
}

// faultsIn is nil for the empty list that the library gives where it has found nothing.
func faultsIn(err error) error {
	var list cog.BuildErrors
	if errors.As(err, &list) && len(list) == 0 {
		return nil
	}
	return err
}
