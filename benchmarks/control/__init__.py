"""Parts about the control plane: how long changes take, and what they cost."""
