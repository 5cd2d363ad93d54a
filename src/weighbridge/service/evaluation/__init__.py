"""How far footprints are from what others published: the command `evaluate`."""
