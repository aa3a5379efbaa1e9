// Podsecurity checks workload manifests against the Pod Security standard "restricted", with the
// code that the API server's own admission runs.
//
//	podsecurity v1.35 manifest.yaml...
//
// It prints one line per violation and exits with 1 if there was any.
package main

import (
	"fmt"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

func main() {
	violations, err := check(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, violation := range violations {
		fmt.Println(violation)
	}
	if len(violations) > 0 {
		os.Exit(1)
	}
}

func check(version string, files []string) ([]string, error) {
	at, err := api.ParseVersion(version)
	if err != nil {
		return nil, err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	var violations []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		// Every workload that the program makes has its pod where a Deployment has it.
		var workload appsv1.Deployment
		if err := yaml.Unmarshal(text, &workload); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		pod := workload.Spec.Template
		results := evaluator.EvaluatePod(
			api.LevelVersion{Level: api.LevelRestricted, Version: at}, &pod.ObjectMeta, &pod.Spec)
		if result := policy.AggregateCheckResults(results); !result.Allowed {
			reasons := strings.TrimSpace(result.ForbiddenDetail())
			violations = append(violations, fmt.Sprintf("%s: %s", workload.Name, reasons))
		}
	}
	return violations, nil
}
