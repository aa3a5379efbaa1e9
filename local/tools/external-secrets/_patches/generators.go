// Package register imports no generators: the ones of registries compile the SDKs of three clouds.
package register
