"""What the load was: windows of samples, where they come from, where they are kept."""
