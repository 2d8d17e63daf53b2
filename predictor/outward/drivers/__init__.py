"""Those who start containers: Knative, Kubernetes, processes of this machine."""
