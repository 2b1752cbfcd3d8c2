package definition

// yamlAlert is the shape in which a rule is written back.
type yamlAlert struct {
	Name              string              `yaml:"name"`
	Type              string              `yaml:"type"`
	Severity          string              `yaml:"severity"`
	On                string              `yaml:"on"`
	When              string              `yaml:"when"`
	For               string              `yaml:"for"`
	KeepFiringFor     string              `yaml:"keep_firing_for"`
	MinSamples        any                 `yaml:"min_samples,omitempty,flow"` // a number, or a number for each of some aggregates
	Groups            map[string][]string `yaml:"groups,omitempty,flow"`
	Title             string              `yaml:"title,omitempty"`
	Description       string              `yaml:"description,omitempty"`
	RecommendedAction string              `yaml:"recommended_action,omitempty"`
}

func (a *alertSpec) yaml() yamlAlert {
	out := yamlAlert{
		Name: a.name, Type: a.typ, Severity: a.severity, On: a.on, When: a.when.text,
		For: spanText(a.hold), KeepFiringFor: spanText(a.keep),
		Title: a.title.String(), Description: a.description.String(), RecommendedAction: a.action.String(),
	}
	least := map[string]int64{}
	for _, l := range a.least {
		if l.of == "" {
			out.MinSamples = l.bound
			continue
		}
		least[l.of] = l.bound
		out.MinSamples = least
	}
	for _, g := range a.groups {
		if out.Groups == nil {
			out.Groups = map[string][]string{}
		}
		for _, v := range g.values {
			out.Groups[g.key] = append(out.Groups[g.key], v.key)
		}
	}
	return out
}
