"""One file per layer: a driver around a driver."""
