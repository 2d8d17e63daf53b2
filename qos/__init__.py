"""Classes, policies, guarantees and limits of traffic between services."""
