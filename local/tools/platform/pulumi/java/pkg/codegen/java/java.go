// Package java has the one type of Pulumi's Java code generator that a provider's schema names.
package java

// PackageInfo holds the settings of a Java SDK.
type PackageInfo struct {
	BuildFiles                      string            `json:"buildFiles,omitempty"`
	GradleNexusPublishPluginVersion string            `json:"gradleNexusPublishPluginVersion,omitempty"`
	Dependencies                    map[string]string `json:"dependencies,omitempty"`
}
