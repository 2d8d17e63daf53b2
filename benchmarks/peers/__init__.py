"""What prewire is compared with: OVN, HAProxy, nginx, flows written by hand, bundles."""
