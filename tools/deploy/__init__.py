"""The parts of a deployment, and the files generated from them: compose.yaml, Kubernetes manifests, a dashboard."""
