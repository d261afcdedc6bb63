"""The parts of a deployment, and the files that are made of them: compose.yaml, Kubernetes manifests, a dashboard."""
