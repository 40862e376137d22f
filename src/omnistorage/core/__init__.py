"""The narrow waist: what drivers, layers and the front door agree on."""
