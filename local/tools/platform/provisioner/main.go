// Command provisioner makes the volumes of a StorageClass: folders below one folder of its node.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// folders makes a volume of each folder below root. The size asked for is written down, not kept to.
type folders struct {
	root string
	node string
}

// Provision makes the folder; the kubelet gives it the group that a pod asks for.
func (f folders) Provision(
	_ context.Context, asked controller.ProvisionOptions,
) (*core.PersistentVolume, controller.ProvisioningState, error) {
	path := f.path(asked.PVName)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	// By itself, since the process's umask takes away from what MkdirAll is told.
	if err := os.Chmod(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return f.volume(asked), controller.ProvisioningFinished, nil
}

// Delete removes the folder with all that is in it.
func (f folders) Delete(_ context.Context, volume *core.PersistentVolume) error {
	return os.RemoveAll(f.path(volume.Name))
}

func (f folders) path(volume string) string {
	return filepath.Join(f.root, volume)
}

func (f folders) volume(asked controller.ProvisionOptions) *core.PersistentVolume {
	here := core.NodeSelectorRequirement{
		Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{f.node},
	}
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: asked.PVName},
		Spec: core.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *asked.StorageClass.ReclaimPolicy,
			AccessModes:                   asked.PVC.Spec.AccessModes,
			Capacity: core.ResourceList{
				core.ResourceStorage: asked.PVC.Spec.Resources.Requests[core.ResourceStorage],
			},
			PersistentVolumeSource: core.PersistentVolumeSource{
				Local: &core.LocalVolumeSource{Path: f.path(asked.PVName)},
			},
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{
				NodeSelectorTerms: []core.NodeSelectorTerm{
					{MatchExpressions: []core.NodeSelectorRequirement{here}},
				},
			}},
		},
	}
}

func main() {
	name := flag.String("name", "", "what StorageClasses call this provisioner")
	node := flag.String("node", "", "the node that has the folder")
	root := flag.String("root", "", "the folder, the same here and on the node")
	klog.InitFlags(nil)
	flag.Parse()

	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	made := controller.NewProvisionController(
		ctx, clients, *name, folders{*root, *node},
		controller.LeaderElection(false),
	)
	made.Run(ctx)
}
