// Package deploy holds the files of server/deploy to the tools that will read
// them: Dockerfile to BuildKit's parser and linter, compose.yaml to Compose's
// own loader, the chart to Helm, and what Helm renders to the types of
// Kubernetes. It is a module of its own, so that none of these is in the
// product's.
package deploy
