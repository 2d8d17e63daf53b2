"""What is measured: all of prewire in control of a switch, or a part of prewire by itself."""
