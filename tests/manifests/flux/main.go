// Flux builds the folder of a Kustomization with the code of Flux's kustomize-controller.
//
//	flux repository kustomization.yaml
//
// It prints the objects that the controller would apply. Beside that, this module has the types of
// Flux's objects, from which controller-gen writes their CustomResourceDefinitions.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/kustomize"
	_ "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func main() {
	objects, err := build(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(string(objects))
}

func build(repository, file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	kustomization := unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &kustomization.Object); err != nil {
		return nil, err
	}
	path, _, err := unstructured.NestedString(kustomization.Object, "spec", "path")
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(repository, path)
	if _, err := kustomize.NewGenerator(repository, kustomization).WriteFile(folder); err != nil {
		return nil, err
	}
	objects, err := kustomize.SecureBuild(repository, folder, false)
	if err != nil {
		return nil, err
	}
	return objects.AsYaml()
}
