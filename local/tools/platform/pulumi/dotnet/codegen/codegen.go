// Package codegen has the one type of Pulumi's .NET code generator that a provider's schema names.
package codegen

// CSharpPackageInfo holds the settings of a .NET SDK.
type CSharpPackageInfo struct {
	RespectSchemaVersion bool              `json:"respectSchemaVersion,omitempty"`
	PackageReferences    map[string]string `json:"packageReferences,omitempty"`
}
